"""What a process may use of its machine: threads, precision, its share of a GPU."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

OF_SHARE = 0.9  # of its part of a GPU's memory goes to a member's tensors; CUDA's context and libraries need a part too
_BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


@dataclass(frozen=True)
class DeviceResources:
    """What one member's process may take."""

    threads: int  # of each of the backend's thread pools
    gpus: float = 0.0  # as asked of Ray: 0 hides every GPU, a fraction caps the memory
    data_gib: float = math.inf  # of the data in its own memory; larger data are streamed
    backend: str = "tensorflow"  # of Keras


def claim(share: DeviceResources) -> None:
    """Limits this process to its share. To be called before Keras is imported, once a process.

    Raises:
        ImportError: the backend is not installed.
    """
    os.environ["KERAS_BACKEND"] = share.backend
    if share.backend == "jax":
        _claim_jax(share)
    else:
        _claim_tensorflow(share)


@contextmanager
def _hidden(*libraries: str) -> Iterator[None]:
    """Hides libraries from what is imported meanwhile.

    Keras and TensorFlow import each of these for a wrapper that no member needs, and do without where it is missing:
    4.4, 3.7 and 4.1 instead of 7.9, 6.6 and 7.6 s of CPU a process (AMD Zen 3, n = 3 in turn).
    """
    unloaded = [name for name in libraries if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unloaded))  # type: ignore[arg-type]  # None: as if it were not installed
    try:
        yield
    finally:
        for name in unloaded:
            del sys.modules[name]


def _claim_tensorflow(share: DeviceResources) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter
    with _hidden("sklearn", "matplotlib", "jax"):
        import tensorflow as tf

    # Both pools: TensorFlow ignores OMP_NUM_THREADS, and either pool alone fills every core.
    tf.config.threading.set_intra_op_parallelism_threads(share.threads)
    tf.config.threading.set_inter_op_parallelism_threads(share.threads)
    if share.gpus == 0:
        tf.config.set_visible_devices([], "GPU")  # a worker with num_gpus=0 sees them all (ray#62492)
        return
    total = gpu_memory_mib() if share.gpus < 1 else None
    for gpu in tf.config.list_physical_devices("GPU"):
        if total:
            limit = memory_limit_mib(share.gpus, total)
            tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=limit)])
        else:  # TensorFlow takes the whole card otherwise (ray#13680)
            tf.config.experimental.set_memory_growth(gpu, True)


def _claim_jax(share: DeviceResources) -> None:
    os.environ["NPROC"] = str(share.threads)  # XLA's way to be told the size of its CPU pools
    if share.gpus == 0:
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif share.gpus < 1:  # JAX takes 75 % of the card otherwise, whoever else is there
        os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{OF_SHARE * share.gpus:.3f}"
    import jax  # noqa: F401

    with _hidden("sklearn", "matplotlib"):
        import keras  # noqa: F401


def memory_limit_mib(gpus: float, total_mib: int) -> int:
    """Returns what a process of this part of a GPU gives its tensors: its share, less what CUDA itself takes."""
    return int(OF_SHARE * gpus * total_mib)


def gpu_memory_mib() -> int | None:
    """Returns the memory of the first visible GPU by NVIDIA's own tool; None where that is missing or knows none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run([*query, *([f"--id={visible}"] if visible else [])], capture_output=True, timeout=30)
        return int(told.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def all_gpus(devices: tuple[str, ...] = ()) -> AbstractContextManager[Any]:
    """Returns a context in which a member trains on all GPUs of its process, which share each batch.

    Args:
        devices: TensorFlow's names of them; by default those that it finds.
    """
    if _on_jax():
        return nullcontext()
    import tensorflow as tf

    devices = devices or tuple(gpu.name for gpu in tf.config.list_logical_devices("GPU"))
    return _strategy(devices).scope() if len(devices) > 1 else nullcontext()


@cache
def _strategy(devices: tuple[str, ...]) -> Any:
    """Keeps one strategy a process: what is compiled under one, for the next member too, fails under another."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def batch_shares() -> int:
    """Returns in how many parts a batch is trained on; more than one within `all_gpus` alone."""
    if _on_jax():
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def name() -> str:
    """Returns "cpu" or the GPU's product name."""
    if _on_jax():
        import jax

        device = jax.devices()[0]
        return "cpu" if device.platform == "cpu" else device.device_kind
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "cpu"


def gpus() -> int:
    """Returns how many GPUs TensorFlow finds, those that this process hides included."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def resolve_precision(precision: str) -> str:
    """Resolves "auto" to bfloat16 where the hardware multiplies it, float32 elsewhere.

    In software, bfloat16 is slower than float32: 61 against 639 images/s for a convolutional network on a CPU
    without it (batch 128, 2 cores of AMD Zen 3, TensorFlow 2.21, n = 1).

    Returns:
        A Keras dtype policy: "float32" or "mixed_bfloat16".
    """
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]


def has_bfloat16() -> bool:
    """Tells whether the visible device multiplies bfloat16 in hardware (Ampere or newer; AMX or AVX512_BF16)."""
    capability = _compute_capability()
    return cpu_has_bfloat16() if capability is None else capability >= (8, 0)


def _compute_capability() -> tuple[int, ...] | None:
    """Returns that of the visible GPU, None without one."""
    if _on_jax():
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else tuple(map(int, device.compute_capability.split(".")))
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) if gpus else None


def _on_jax() -> bool:
    return os.environ.get("KERAS_BACKEND") == "jax"


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether the CPU lists AMX or AVX512 bfloat16 instructions (Linux on x86; False where unknown)."""
    if not cpuinfo.exists():
        return False
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return not _BFLOAT16_CPU_FLAGS.isdisjoint(flags.split())
