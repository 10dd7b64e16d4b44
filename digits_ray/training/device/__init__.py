"""What a member's process may use of its machine: threads, a GPU or a part of one, precision; one file a backend."""

from digits_ray.training.device.backend import (
    BACKENDS,
    all_gpus,
    claim,
    gpus,
    host_copies,
    installed_backend,
    name,
    num_replicas,
    trains_in_long_calls,
)
from digits_ray.training.device.keras_settings import pin_keras
from digits_ray.training.device.nvidia_smi import Gpu, gpu_memory_mib, read_gpus
from digits_ray.training.device.precision import cpu_has_bfloat16, has_bfloat16, resolve_precision
from digits_ray.training.device.resources import DeviceResources, memory_limit_mib, tensor_gib

__all__ = [
    "BACKENDS",
    "DeviceResources",
    "Gpu",
    "all_gpus",
    "claim",
    "cpu_has_bfloat16",
    "gpu_memory_mib",
    "gpus",
    "has_bfloat16",
    "host_copies",
    "installed_backend",
    "memory_limit_mib",
    "name",
    "num_replicas",
    "pin_keras",
    "read_gpus",
    "resolve_precision",
    "tensor_gib",
    "trains_in_long_calls",
]
