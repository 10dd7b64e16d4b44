"""Keras on JAX. A member trains on one device."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from digits_ray.training.device.compilation_cache import use_compilation_cache
from digits_ray.training.device.imports import without_libraries
from digits_ray.training.device.nvidia_smi import gpu_memory_mib
from digits_ray.training.device.resources import ROWS_MEMORY_FRACTION, DeviceResources, memory_fraction

if TYPE_CHECKING:
    import numpy as np

# A small network's step is some hundred short kernels, and starting them one by one takes longer than they do. In CUDA
# graphs they start together; XLA leaves convolutions out of those by default (openxla/xla#34572). One network of the
# preset `fast` trains on 332,589 images/s with these options, on 183,304 without (H100, jaxlib 0.11.2, n = 14 and 8).
_CUDA_GRAPHS = {
    "xla_gpu_enable_command_buffer": "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,CONVOLUTION",
    "xla_gpu_command_buffer_scheduling_mode": "CONCURRENT",
    "xla_gpu_graph_min_graph_size": 2,
}


def limit_process(resources: DeviceResources) -> None:
    """Sets XLA's thread pools, and hides the GPUs or limits the memory taken of one."""
    os.environ["NPROC"] = str(resources.threads)  # XLA reads from it the size of its CPU pools
    if resources.gpus == 0:
        os.environ["JAX_PLATFORMS"] = "cpu"
    import jax  # noqa: F401

    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(_start_device, resources.gpus)
        _import_keras()
        device = starting.result()
    if device.platform != "cpu":
        if resources.compilation_cache:
            use_compilation_cache(device.device_kind)
        _start_cudnn()


def _start_device(gpus: float) -> Any:
    """Starts JAX on this process's device and returns it: on a GPU, nvidia-smi and CUDA take seconds."""
    if 0 < gpus < 1:
        _limit_gpu_memory(gpus)
    return _device()


def _import_keras() -> None:
    with without_libraries("sklearn", "matplotlib", "tensorflow"):
        import keras

        # Keras imports TensorFlow, where there is one, the first time that it writes a network's configuration.
        keras.saving.serialize_keras_object(keras.DTypePolicy("float32"))


def _start_cudnn() -> None:
    """Runs one small convolution, outside of CUDA graphs.

    cuDNN cannot start while a graph is captured ("No DNN support for stream"), and a process whose programs come from
    the compilation cache has run no convolution before: compiling tries some out.
    """
    import jax
    import jax.numpy as jnp

    images, kernel = jnp.ones((1, 8, 8, 8)), jnp.ones((8, 8, 3, 3))
    jax.jit(lambda *operands: jax.lax.conv(*operands, (1, 1), "SAME"))(images, kernel).block_until_ready()


def _limit_gpu_memory(gpus: float) -> None:
    """JAX takes 75 % of the card otherwise, whatever other processes use."""
    os.environ["XLA_CLIENT_MEM_FRACTION"] = f"{memory_fraction(gpus, gpu_memory_mib()):.3f}"
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


def host_copies(variables: Sequence[Any]) -> "list[np.ndarray]":
    """Returns copies of the values, arrays (axes of the variable,), all brought from the device at once."""
    import jax
    import numpy as np

    values = jax.device_get([variable.value for variable in variables])
    return [np.array(value) for value in values]  # on a CPU they are views, of memory that a step may give away


def trains_in_long_calls(image_bytes: int) -> bool:
    """Returns whether this is a GPU whose memory holds the rows beside the network."""
    device = _device()
    if device.platform == "cpu":
        return False
    memory = (device.memory_stats() or {}).get("bytes_limit", 0)
    return image_bytes < ROWS_MEMORY_FRACTION * memory


@cache
def loop_compiler_options() -> dict[str, Any]:
    """Returns XLA's options for a training loop: CUDA graphs on a GPU, where this jaxlib knows them; else none."""
    import jax

    if _device().platform == "cpu":
        return {}
    try:
        jax.jit(lambda x: x + 1).lower(1.0).compile(compiler_options=_CUDA_GRAPHS)
    except jax.errors.JaxRuntimeError:  # no such option, or no such kind of operation
        return {}
    return _CUDA_GRAPHS


def _device() -> Any:
    import jax

    return jax.devices()[0]
