"""One interface to the backends of Keras: each is a module of this package with the functions of `Backend`."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from digits_ray.training.device.environment import clean_environment
from digits_ray.training.device.keras_settings import pin_keras
from digits_ray.training.device.resources import DeviceResources

if TYPE_CHECKING:
    import numpy as np


class Backend(Protocol):
    """What a backend's module offers."""

    def limit_process(self, resources: DeviceResources) -> None:
        """Limits this process to its resources and imports the backend."""

    def device_name(self) -> str:
        """Returns "cpu" or the GPU's product name."""

    def gpu_count(self) -> int:
        """Returns how many GPUs the backend finds."""

    def compute_capability(self) -> tuple[int, ...] | None:
        """Returns that of the visible GPU, None without one."""

    def all_gpus(self, devices: tuple[str, ...]) -> AbstractContextManager[Any]:
        """Returns a context in which networks train on several devices."""

    def num_replicas(self) -> int:
        """Returns into how many parts a batch is split."""

    def host_copies(self, variables: Sequence[Any]) -> "list[np.ndarray]":
        """Returns copies of the values of Keras's variables, arrays (axes of the variable,)."""

    def trains_in_long_calls(self, image_bytes: int) -> bool:
        """Returns whether networks train in long calls over rows on the device, which hold so many bytes."""


BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}  # their names for people


def installed_backend(preferred: str = "tensorflow") -> str:
    """Returns a backend that is installed, the preferred one if possible: a trained network predicts on any."""
    return next((name for name in (preferred, *BACKENDS) if find_spec(name)), preferred)


def claim(resources: DeviceResources) -> None:
    """Limits this process to its resources and imports Keras, whatever settings of other programs it was started with.

    To be called before Keras is imported, once a process.

    Raises:
        ImportError: the backend is not installed.
    """
    clean_environment(os.environ, resources.threads)
    with pin_keras(resources.backend):
        current_backend().limit_process(resources)


def current_backend() -> Backend:
    """Returns the module of the backend that Keras has, or will have, in this process."""
    if os.environ.get("KERAS_BACKEND") == "jax":
        from digits_ray.training.device import jax

        return jax
    from digits_ray.training.device import tensorflow

    return tensorflow


def all_gpus(devices: tuple[str, ...] = ()) -> AbstractContextManager[Any]:
    """Returns a context in which a member trains on all GPUs of its process, each with a part of every batch.

    Args:
        devices: TensorFlow's names of them; by default those that it finds.
    """
    return current_backend().all_gpus(devices)


def num_replicas() -> int:
    """Returns into how many parts each batch is split; more than one within `all_gpus` alone."""
    return current_backend().num_replicas()


def name() -> str:
    """Returns "cpu" or the GPU's product name."""
    return current_backend().device_name()


def gpus() -> int:
    """Returns how many GPUs the backend finds; on TensorFlow, those that this process hides included."""
    return current_backend().gpu_count()


def host_copies(variables: Sequence[Any]) -> "list[np.ndarray]":
    """Returns copies of the values of Keras's variables, arrays (axes of the variable,), in this process's memory."""
    return current_backend().host_copies(variables)


def trains_in_long_calls(image_bytes: int) -> bool:
    """Returns whether a member trains in long calls over rows that lie on its device.

    Not on a CPU with JAX: XLA compiles convolutions within loops slowly there.

    Args:
        image_bytes: Of the training rows, as uint8; they have to fit.
    """
    return current_backend().trains_in_long_calls(image_bytes)
