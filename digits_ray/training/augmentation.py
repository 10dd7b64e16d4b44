"""Augmentation on the fly: one fused affine resample of a batch, on the member's device."""

import math
from dataclasses import asdict
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from digits_ray.config import Augmentation


@keras.saving.register_keras_serializable(package="digits_ray")
class RandomAffine(keras.layers.Layer):
    """Raw pixels in, distorted and scaled pixels out: one bilinear resample an image, drawn anew each time.

    Rotation, zoom (each axis by itself, as Keras's ImageDataGenerator drew it), shear (rows slide sideways, as
    handwriting slants) and shift are composed into one matrix, so an image is resampled once and blurred once, all its
    channels alike; a flip mirrors it first, along each axis with a probability of one half. Outside of training, pixels
    are only scaled. What lies beyond the border is background (0).

    Call arguments:
        images: (batch, height, width) uint8, or (batch, height, width, channels).

    Returns:
        (batch, height, width, channels) float32 in [0, 1].
    """

    def __init__(
        self,
        rotation: float,
        zoom: float,
        shift: float,
        seed: int,
        flip: Literal[False, "horizontal", "vertical", "both"] = False,
        shear: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Takes the largest distortions: angles in degrees, `zoom` and `shift` as parts of the side; and a flip."""
        super().__init__(dtype="float32", **kwargs)
        self.rotation, self.zoom, self.shift, self.shear = rotation, zoom, shift, shear
        self.flip, self.seed = flip, seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        pixels = ops.cast(images, "float32") / 255.0
        pixels = ops.expand_dims(pixels, -1) if len(images.shape) == 3 else pixels  # (batch, height, width, channels)
        if not training or (self.rotation == self.zoom == self.shift == self.shear == 0 and not self.flip):
            return pixels
        transform = self._transform(*ops.shape(pixels)[:3])
        return _affine_transform(pixels, transform)

    def _transform(self, batch: Any, height: int, width: int) -> Any:
        """Draws (batch, 8): rows a, b of x' = a·(x, y, 1), y' = b·(x, y, 1), from output to input pixels."""
        draws = keras.random.uniform((5, batch), -1.0, 1.0, seed=self.random)
        angle = draws[0] * math.radians(self.rotation)
        zoom_x, zoom_y = 1 + self.zoom * draws[1], 1 + self.zoom * draws[2]
        cos, sin = ops.cos(angle), ops.sin(angle)
        a0, a1, b0, b1 = cos * zoom_x, -sin * zoom_y, sin * zoom_x, cos * zoom_y
        if self.shear:  # else nothing more is drawn, and training is what it was before there was shear
            slant = ops.tan(keras.random.uniform((batch,), -1.0, 1.0, seed=self.random) * math.radians(self.shear))
            a1, b1 = a1 + a0 * slant, b1 + b0 * slant
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2  # the centre stays where it is, then shifts
        a2 = centre_x - a0 * centre_x - a1 * centre_y + self.shift * width * draws[3]
        b2 = centre_y - b0 * centre_x - b1 * centre_y + self.shift * height * draws[4]
        zeros = ops.zeros_like(a0)
        x, y = [a0, a1, a2], [b0, b1, b2]
        if self.flip:  # else nothing more is drawn, and training is what it was before there were flips
            x, y = self._mirrored(x, y, batch, height, width)
        return ops.stack([*x, *y, zeros, zeros], axis=1)

    def _mirrored(self, x: list[Any], y: list[Any], batch: Any, height: int, width: int) -> tuple[list[Any], list[Any]]:
        """Mirrors input pixels, each axis of every image with a probability of one half: x' becomes width - 1 - x'."""
        draws = keras.random.uniform((2, batch), seed=self.random)
        if self.flip in ("horizontal", "both"):
            x = _mirrored_where(draws[0] < 0.5, x, width)
        if self.flip in ("vertical", "both"):
            y = _mirrored_where(draws[1] < 0.5, y, height)
        return x, y

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, 1) if len(input_shape) == 3 else input_shape

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("rotation", "zoom", "shift", "shear", "flip", "seed")}
        config = super().get_config()
        config.pop("dtype", None)  # always float32
        return {**config, **own}


def _affine_transform(images: Any, transforms: Any) -> Any:
    """Returns the images (batch, height, width, channels) resampled by (batch, 8) transforms."""
    if keras.backend.backend() == "jax":
        from digits_ray.training.jax_affine import affine_transform

        return affine_transform(images, transforms)
    return ops.image.affine_transform(images, transforms, interpolation="bilinear", fill_mode="constant")


def _mirrored_where(is_mirrored: Any, row: list[Any], size: int) -> list[Any]:
    """Returns a row of the transform, (batch,) each, with the axis of this many pixels mirrored where it says so."""
    mirrored = [-row[0], -row[1], size - 1 - row[2]]
    return [ops.where(is_mirrored, new, old) for new, old in zip(mirrored, row, strict=True)]


def augment(images: np.ndarray, augmentation: Augmentation, seed: int) -> np.ndarray:
    """Returns (rows, height, width[, 3]) uint8: each image augmented once, as in one epoch of training.

    Args:
        images: (rows, height, width) uint8, or (rows, height, width, 3).
        augmentation: The strength.
        seed: The same seed gives the same images.
    """
    layer = RandomAffine(**asdict(augmentation), seed=seed)
    pixels: Any = ops.convert_to_numpy(layer(images, training=True))
    return np.rint(255 * pixels).clip(0, 255).astype(np.uint8).reshape(images.shape)
