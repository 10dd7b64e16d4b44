"""What a member's process may use of its machine: threads, a GPU or a part of one, precision; one file a backend."""

from digits_ray.training.device.backend import all_gpus, claim, gpus, name, num_replicas, trains_in_long_calls
from digits_ray.training.device.keras_settings import pin_keras
from digits_ray.training.device.precision import cpu_has_bfloat16, has_bfloat16, resolve_precision
from digits_ray.training.device.resources import DeviceResources, gpu_memory_mib, memory_limit_mib

__all__ = [
    "DeviceResources",
    "all_gpus",
    "claim",
    "cpu_has_bfloat16",
    "gpu_memory_mib",
    "gpus",
    "has_bfloat16",
    "memory_limit_mib",
    "name",
    "num_replicas",
    "pin_keras",
    "resolve_precision",
    "trains_in_long_calls",
]
