"""Trained networks in this process, for looking at and predicting."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.config import Augmentation
from digits_ray.error_cause import hiding_file, root_cause
from digits_ray.errors import RunError, UserError
from digits_ray.machine import tight_limits
from digits_ray.scheduling import captured_stderr
from digits_ray.training import device

if TYPE_CHECKING:
    from digits_ray.training import EnsembleProgram


def import_keras(backend: str) -> None:
    """Imports Keras on a backend that is installed, as the user's own settings of Keras would not have it.

    Args:
        backend: The preferred one. Where Keras is imported already, its backend stays, and any predicts alike.

    Raises:
        UserError: a file of the user's has the name of one of their libraries.
        RunError: Keras or its backend cannot be imported: it is not installed, or there is no memory for it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" in sys.modules:
        return
    installed = device.installed_backend(backend)
    try:
        with captured_stderr(), device.pin_keras(installed):
            import keras

            keras.ops.zeros(1)  # the first tensor; what backends print when they start ends here
    except Exception as error:
        if file := hiding_file(error):
            raise UserError(f"{file} is imported instead of a library. Rename it.") from None
        reason = str(root_cause(error)).rstrip(".")
        raise RunError(f"Keras on {installed} cannot be imported here ({reason}).{tight_limits()}") from error


def build_program(archives: Sequence[bytes], backend: str) -> "EnsembleProgram":
    """Returns networks as one compiled program, in this process.

    Args:
        archives: .keras archives of models that take raw uint8 images.
        backend: As for `import_keras`.
    """
    import_keras(backend)
    from digits_ray import training

    return training.build_program([training.load_model(archive) for archive in archives])


def augment(images: Any, augmentation: Augmentation | None = None, seed: int = 0) -> np.ndarray:
    """Returns (rows, height, width[, 3]) uint8: each image augmented once, as training sees it in one epoch.

    Loads Keras into this process.

    Args:
        images: (rows, height, width) uint8, or (rows, height, width, 3).
        augmentation: The strength, e.g. `run.config.members.recipe.augmentation`; without it, the default.
        seed: The same seed gives the same images.
    """
    import_keras("tensorflow")
    from digits_ray.training.augmentation import augment as augment_here

    return augment_here(np.asarray(images, np.uint8), augmentation or Augmentation(), seed)


def feature_maps(model: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the layers of a model make of an image, by the layer's name, in order.

    Args:
        model: A Keras model that takes raw images.
        image: (height, width) uint8, or (height, width, 3).

    Returns:
        (height, width, channels) float32 of each layer whose output has a height and a width.
    """
    from digits_ray.report import model_inspection

    return model_inspection.feature_maps(model, image)
