"""What one member's process may use, and how much of a GPU's memory that is."""

import math
from dataclasses import dataclass

from digits_ray.training.device.nvidia_smi import MIB_PER_GIB

ROWS_MEMORY_FRACTION = 0.25  # of the process's GPU memory that training rows may take; activations need the most of it
CUDA_CONTEXT_GIB = 0.5  # that a process takes of a GPU before its first tensor (H100, CUDA 13)
# Beside the tensors, for the libraries' workspace: cuDNN fails ("Failed to get configs", CUDNN_STATUS_EXECUTION_FAILED)
# where the tensors of all processes and the contexts take the whole card.
CUDNN_GIB = 1.0
MIN_TENSOR_FRACTION = 0.5  # of a process's part, however small that is
TENSOR_FRACTION = 0.9  # of a process's part of a GPU of unknown size


@dataclass(frozen=True)
class DeviceResources:
    """What one member's process may use."""

    threads: int  # of each of the backend's thread pools
    gpus: float = 0.0  # as requested of Ray: 0 hides every GPU, a fraction caps the memory
    data_gib: float = math.inf  # of the data in its own memory; larger data are streamed
    backend: str = "tensorflow"  # of Keras
    compilation_cache: bool = True  # whether what is compiled for a GPU is read from and written to disk


def tensor_gib(gpus: float, gpu_gib: float) -> float:
    """Returns the GiB for the tensors of a process that has `gpus` (below 1) of a GPU with `gpu_gib`."""
    part = gpus * gpu_gib
    return max(part - CUDA_CONTEXT_GIB - CUDNN_GIB, MIN_TENSOR_FRACTION * part)


def memory_fraction(gpus: float, total_mib: int | None) -> float:
    """Returns the part of a GPU's memory for the tensors of a process that has `gpus` (below 1) of it.

    Args:
        gpus: As requested of Ray.
        total_mib: The GPU's memory; None where it is unknown.
    """
    if total_mib is None:
        return TENSOR_FRACTION * gpus
    total_gib = total_mib / MIB_PER_GIB
    return tensor_gib(gpus, total_gib) / total_gib


def memory_limit_mib(gpus: float, total_mib: int) -> int:
    """Returns the MiB for the tensors of a process that has `gpus` (below 1) of a GPU with `total_mib`."""
    return int(memory_fraction(gpus, total_mib) * total_mib)
