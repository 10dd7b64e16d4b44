"""An ensemble as one Keras model: raw uint8 images in, the mean of the members' probabilities out."""

from collections.abc import Sequence

import keras


def mean_model(models: Sequence[keras.Model]) -> keras.Model:
    """Returns the model.

    Args:
        models: Each takes (height, width[, 3]) uint8 images of the same shape and gives (classes,) probabilities.
    """
    shape = models[0].input_shape[1:]
    images = keras.Input(shape, dtype="uint8", name="images")
    proba = [_renamed(model, f"member_{number:03d}")(images, training=False) for number, model in enumerate(models)]
    # Keras's Average takes two at least.
    mean = keras.layers.Average(name="probabilities")(proba if len(proba) > 1 else proba * 2)
    return keras.Model(images, mean, name="ensemble")


def _renamed(model: keras.Model, name: str) -> keras.Model:
    """Returns a model round a model: layers of a model need names of their own."""
    return keras.Sequential([keras.Input(model.input_shape[1:], dtype="uint8"), model], name=name)
