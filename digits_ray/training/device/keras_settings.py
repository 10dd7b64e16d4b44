"""Keras with the settings that members count on, whatever a user's keras.json and environment say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from digits_ray.paths import local_path
from digits_ray.training.keras_internals import set_home

_UNWANTED_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")  # they end a fit early


@contextmanager
def pin_keras(backend: str) -> Iterator[None]:
    """Keras is imported within this context, and has Keras's own defaults afterwards, on this backend.

    The backend cannot be changed once Keras is imported, so that it goes into the environment before.

    Args:
        backend: "tensorflow" or "jax".
    """
    for name in _UNWANTED_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(KERAS_BACKEND=backend, KERAS_NNX_ENABLED="false")
    with _without_keras_json():
        yield
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


@contextmanager
def _without_keras_json() -> Iterator[None]:
    """Hides keras.json: Keras, and TensorFlow's copy of it, cannot be imported where it holds what they do not know."""
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if home is not None:
            os.environ["KERAS_HOME"] = home
    set_home(home or str(local_path("~/.keras")))
