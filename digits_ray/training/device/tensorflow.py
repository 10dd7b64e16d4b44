"""Keras on TensorFlow."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from digits_ray.training.device.imports import without_libraries
from digits_ray.training.device.nvidia_smi import gpu_memory_mib
from digits_ray.training.device.resources import ROWS_MEMORY_FRACTION, DeviceResources, memory_limit_mib

if TYPE_CHECKING:
    import numpy as np

CPU_ROWS_BYTES = 1 << 30  # of training rows that a process holds a second time for its loop


def limit_process(resources: DeviceResources) -> None:
    """Sets both thread pools, and hides the GPUs or limits the memory taken of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # none of TensorFlow's lines at start-up
    with without_libraries("sklearn", "matplotlib", "jax"):
        import tensorflow as tf

    # Both pools: TensorFlow ignores OMP_NUM_THREADS, and either pool alone fills every core.
    tf.config.threading.set_intra_op_parallelism_threads(resources.threads)
    tf.config.threading.set_inter_op_parallelism_threads(resources.threads)
    if resources.gpus == 0:
        tf.config.set_visible_devices([], "GPU")  # a worker with num_gpus=0 sees them all (ray#62492)
    else:
        _limit_gpu_memory(resources.gpus)


def _limit_gpu_memory(gpus: float) -> None:
    import tensorflow as tf

    total = gpu_memory_mib() if gpus < 1 else None
    for gpu in tf.config.list_physical_devices("GPU"):
        if total:
            limit = memory_limit_mib(gpus, total)
            tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=limit)])
        else:  # TensorFlow takes the whole card otherwise (ray#13680)
            tf.config.experimental.set_memory_growth(gpu, True)


def device_name() -> str:
    """Returns "cpu" or the product name of the first visible GPU."""
    return _first_gpu_details()["device_name"] if _visible_gpus() else "cpu"


def gpu_count() -> int:
    """Returns how many GPUs TensorFlow finds, those that this process hides included."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def compute_capability() -> tuple[int, ...] | None:
    """Returns that of the first visible GPU, None without one."""
    return _first_gpu_details().get("compute_capability", (0, 0)) if _visible_gpus() else None


def all_gpus(devices: tuple[str, ...]) -> AbstractContextManager[Any]:
    """Returns the scope of a strategy that splits batches, or an empty context where there is one device or none."""
    import tensorflow as tf

    devices = devices or tuple(gpu.name for gpu in tf.config.list_logical_devices("GPU"))
    return _strategy(devices).scope() if len(devices) > 1 else nullcontext()


@cache
def _strategy(devices: tuple[str, ...]) -> Any:
    """Returns the same strategy for all members of a process: what is compiled under one fails under another."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def num_replicas() -> int:
    """Returns into how many parts a batch is split."""
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def host_copies(variables: Sequence[Any]) -> "list[np.ndarray]":
    """Returns copies of the values, arrays (axes of the variable,)."""
    import numpy as np

    return [np.array(variable) for variable in variables]


def trains_in_long_calls(image_bytes: int) -> bool:
    """Returns whether one device trains, whose memory holds the rows beside the network.

    On CPUs too: a network of one layer trains 1.5 to 6 times as fast as by Keras's own loop, a deep one a few percent.
    """
    if num_replicas() > 1:
        return False
    if not _visible_gpus():
        return image_bytes <= CPU_ROWS_BYTES
    return image_bytes < ROWS_MEMORY_FRACTION * _gpu_memory_bytes()


def _gpu_memory_bytes() -> int:
    """Returns what this process may use of the first visible GPU; 0 where that is unknown."""
    import tensorflow as tf

    devices = tf.config.get_logical_device_configuration(_visible_gpus()[0])
    limit_mib = devices[0].memory_limit if devices else None
    return (limit_mib or gpu_memory_mib() or 0) << 20


def _visible_gpus() -> list[Any]:
    import tensorflow as tf

    return tf.config.get_visible_devices("GPU")


def _first_gpu_details() -> dict[str, Any]:
    import tensorflow as tf

    return tf.config.experimental.get_device_details(_visible_gpus()[0])
