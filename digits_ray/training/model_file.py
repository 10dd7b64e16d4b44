"""The .keras archive of a trained member."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from digits_ray.training import architectures


def model_file(body: keras.Sequential, label_smoothing: float) -> bytes:
    """Returns a .keras archive of Keras's own layers only: raw uint8 images in, probabilities out.

    It computes in float32 whatever it was trained in: TFLite's converter knows no bfloat16, nor do most CPUs.

    Args:
        body: A trained network from (height, width, channels) pixels in [0, 1] to (classes,) probabilities.
        label_smoothing: That it was trained with, 0 … 1.
    """
    with _float32():
        return _archive(_model(body, label_smoothing))


def _model(body: keras.Sequential, label_smoothing: float) -> keras.Model:
    height, width, channels = body.input_shape[1:]
    raw = (height, width) if channels == 1 else (height, width, channels)
    model = keras.Sequential([keras.Input(raw, dtype="uint8")])
    if channels == 1:
        model.add(keras.layers.Reshape((height, width, 1)))
    model.add(keras.layers.Rescaling(1 / 255))
    model.add(architectures.with_keras_layers(body))
    if label_smoothing:
        model.add(_without_smoothing(body.output_shape[-1], label_smoothing))
    return model


def _without_smoothing(num_classes: int, label_smoothing: float) -> keras.Model:
    smoothed = keras.Input((num_classes,))
    proba = architectures.remove_label_smoothing(smoothed, label_smoothing)
    return keras.Model(smoothed, proba, name="unsmoothed")


@contextmanager
def _float32() -> Iterator[None]:
    """What is built within has this precision."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _archive(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
