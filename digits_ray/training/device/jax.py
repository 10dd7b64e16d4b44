"""Keras on JAX. A member trains on one device."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from digits_ray.training.device.compilation_cache import use_compilation_cache
from digits_ray.training.device.imports import without_libraries
from digits_ray.training.device.resources import DeviceResources, memory_fraction

ROWS_MEMORY_FRACTION = 0.25  # of the process's GPU memory that training rows may take; activations need the most of it


def limit_process(resources: DeviceResources) -> None:
    """Sets XLA's thread pools, and hides the GPUs or limits the memory taken of one."""
    os.environ["NPROC"] = str(resources.threads)  # XLA's way to be told the size of its CPU pools
    if resources.gpus == 0:
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif resources.gpus < 1:
        _limit_gpu_memory(resources.gpus)
    import jax  # noqa: F401

    with without_libraries("sklearn", "matplotlib"):
        import keras  # noqa: F401
    if resources.gpus > 0 and _device().platform != "cpu":
        use_compilation_cache(_device().device_kind)


def _limit_gpu_memory(gpus: float) -> None:
    """JAX takes 75 % of the card otherwise, whoever else is there."""
    os.environ["XLA_CLIENT_MEM_FRACTION"] = f"{memory_fraction(gpus):.3f}"
    os.environ.pop("XLA_PYTHON_CLIENT_MEM_FRACTION", None)  # the older name; JAX refuses to start where both are set


def device_name() -> str:
    """Returns "cpu" or the GPU's product name."""
    device = _device()
    return "cpu" if device.platform == "cpu" else device.device_kind


def gpu_count() -> int:
    """Returns how many GPUs JAX finds; none where this process hides them."""
    import jax

    return sum(device.platform != "cpu" for device in jax.devices())


def compute_capability() -> tuple[int, ...] | None:
    """Returns that of the first GPU, None without one."""
    device = _device()
    return None if device.platform == "cpu" else tuple(map(int, device.compute_capability.split(".")))


def all_gpus(devices: tuple[str, ...]) -> AbstractContextManager[Any]:
    """Returns an empty context: a member on JAX trains on one GPU."""
    return nullcontext()


def num_replicas() -> int:
    """Returns 1."""
    return 1


def trains_in_long_calls(image_bytes: int) -> bool:
    """Tells whether this is a GPU whose memory holds the rows beside the network."""
    device = _device()
    if device.platform == "cpu":
        return False
    memory = (device.memory_stats() or {}).get("bytes_limit", 0)
    return image_bytes < ROWS_MEMORY_FRACTION * memory


def _device() -> Any:
    import jax

    return jax.devices()[0]
