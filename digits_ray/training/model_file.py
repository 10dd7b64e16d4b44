"""The .keras archive of a trained member."""

import tempfile
from pathlib import Path

import keras

from digits_ray.training import architectures


def model_file(body: keras.Sequential, label_smoothing: float) -> bytes:
    """Returns a .keras archive of Keras's own layers only: raw uint8 images in, probabilities out.

    Args:
        body: A trained network from (height, width, 1) pixels in [0, 1] to (classes,) probabilities.
        label_smoothing: That it was trained with, 0 … 1.
    """
    height, width, _ = body.input_shape[1:]
    scale = keras.layers.Rescaling(1 / 255, dtype="float32")
    inputs = [keras.Input((height, width), dtype="uint8"), keras.layers.Reshape((height, width, 1))]
    model = keras.Sequential([*inputs, scale, architectures.with_keras_layers(body)])
    if label_smoothing:
        model.add(_without_smoothing(body.output_shape[-1], label_smoothing))
    return _archive(model)


def _without_smoothing(num_classes: int, label_smoothing: float) -> keras.Model:
    smoothed = keras.Input((num_classes,))
    proba = architectures.remove_label_smoothing(smoothed, label_smoothing)
    return keras.Model(smoothed, proba, name="unsmoothed", dtype="float32")


def _archive(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
