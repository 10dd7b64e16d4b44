"""What one member's process may use, and how much of a GPU's memory that is."""

import math
import os
import subprocess
from dataclasses import dataclass

ROWS_MEMORY_FRACTION = 0.25  # of the process's GPU memory that training rows may take; activations need the most of it
TENSOR_MEMORY_FRACTION = 0.9  # of a process's part of a GPU; CUDA's context and libraries need the rest


@dataclass(frozen=True)
class DeviceResources:
    """What one member's process may use."""

    threads: int  # of each of the backend's thread pools
    gpus: float = 0.0  # as requested of Ray: 0 hides every GPU, a fraction caps the memory
    data_gib: float = math.inf  # of the data in its own memory; larger data are streamed
    backend: str = "tensorflow"  # of Keras
    compilation_cache: bool = True  # whether what is compiled for a GPU is read from and written to disk


def memory_fraction(gpus: float) -> float:
    """Returns the part of a GPU's memory for the tensors of a process that has `gpus` (below 1) of it."""
    return TENSOR_MEMORY_FRACTION * gpus


def memory_limit_mib(gpus: float, total_mib: int) -> int:
    """Returns the MiB for the tensors of a process that has `gpus` (below 1) of a GPU with `total_mib`."""
    return int(memory_fraction(gpus) * total_mib)


def gpu_memory_mib() -> int | None:
    """Returns the MiB of the first visible GPU as nvidia-smi reports it; None where the tool is missing or fails."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run([*query, *([f"--id={visible}"] if visible else [])], capture_output=True, timeout=30)
        return int(output.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
