"""Augmented images to look at, drawn as training draws them."""

from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from digits_ray.config import Augmentation
from digits_ray.training.augmentation import RandomAffine


def augment(images: np.ndarray, augmentation: Augmentation, seed: int) -> np.ndarray:
    """Returns (rows, height, width[, 3]) uint8: each image augmented once, as in one epoch of training.

    Args:
        images: (rows, height, width) uint8, or (rows, height, width, 3).
        augmentation: The strength.
        seed: The same seed gives the same images.
    """
    layer = RandomAffine(**asdict(augmentation), seed=seed)
    pixels: Any = keras.ops.convert_to_numpy(layer(images, training=True))
    return np.rint(255 * pixels).clip(0, 255).astype(np.uint8).reshape(images.shape)
