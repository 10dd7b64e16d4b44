"""Keras on JAX. A member trains on one device."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from digits_ray.training.device.imports import without_libraries
from digits_ray.training.device.resources import DeviceResources, memory_fraction


def limit_process(resources: DeviceResources) -> None:
    """Sets XLA's thread pools, and hides the GPUs or limits the memory taken of one."""
    os.environ["NPROC"] = str(resources.threads)  # XLA's way to be told the size of its CPU pools
    if resources.gpus == 0:
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif resources.gpus < 1:  # JAX takes 75 % of the card otherwise, whoever else is there
        os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{memory_fraction(resources.gpus):.3f}"
    import jax  # noqa: F401

    with without_libraries("sklearn", "matplotlib"):
        import keras  # noqa: F401


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


def _device() -> Any:
    import jax

    return jax.devices()[0]
