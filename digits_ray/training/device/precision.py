"""Which precision a member trains in."""

from pathlib import Path

from digits_ray.training.device.backend import current_backend

_BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}
_BFLOAT16_COMPUTE_CAPABILITY = (8, 0)  # NVIDIA Ampere


def resolve_precision(precision: str) -> str:
    """Resolves "auto" to bfloat16 where the hardware multiplies it, float32 elsewhere.

    In software, bfloat16 is slower than float32: 61 against 639 images/s for a convolutional network on a CPU
    without it (batch 128, 2 cores of AMD Zen 3, TensorFlow 2.21, n = 1).

    Args:
        precision: "auto", "float32" or "bfloat16".

    Returns:
        A Keras dtype policy: "float32" or "mixed_bfloat16".
    """
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]


def has_bfloat16() -> bool:
    """Returns whether the visible device multiplies bfloat16 in hardware (Ampere or newer; AMX or AVX512_BF16)."""
    capability = current_backend().compute_capability()
    return cpu_has_bfloat16() if capability is None else capability >= _BFLOAT16_COMPUTE_CAPABILITY


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Returns whether the CPU lists AMX or AVX512 bfloat16 instructions (Linux on x86; False where unknown)."""
    if not cpuinfo.exists():
        return False
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return not _BFLOAT16_CPU_FLAGS.isdisjoint(flags.split())
