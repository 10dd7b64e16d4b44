"""What a process may use of its machine: threads, precision, its share of a GPU."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

_BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


@dataclass(frozen=True)
class DeviceShare:
    """What one member's process may take."""

    threads: int  # of each of TensorFlow's two thread pools
    gpus: float = 0.0  # as asked of Ray: 0 hides every GPU, a fraction caps the memory
    data_gib: float = math.inf  # of the data in its own memory; larger data are streamed


def claim(share: DeviceShare) -> None:
    """Limits this process to its share. To be called before the first tensor exists, once a process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter
    import tensorflow as tf

    # Both pools: TensorFlow ignores OMP_NUM_THREADS, and either pool alone fills every core.
    tf.config.threading.set_intra_op_parallelism_threads(share.threads)
    tf.config.threading.set_inter_op_parallelism_threads(share.threads)
    if share.gpus == 0:
        tf.config.set_visible_devices([], "GPU")  # a worker with num_gpus=0 sees them all (ray#62492)
        return
    for gpu in tf.config.list_physical_devices("GPU"):
        # TensorFlow takes the whole card otherwise (ray#13680).
        tf.config.experimental.set_memory_growth(gpu, True)


def name() -> str:
    """Returns "cpu" or the GPU's product name."""
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
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    return cpu_has_bfloat16()


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether the CPU lists AMX or AVX512 bfloat16 instructions (Linux on x86; False where unknown)."""
    if not cpuinfo.exists():
        return False
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return not _BFLOAT16_CPU_FLAGS.isdisjoint(flags.split())
