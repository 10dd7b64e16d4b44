"""From scikit-learn's table of numbers, or an array of images, to images of pixels; and what a fit knows of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np

from digits_ray.data import as_array, as_pixels, pixels_on_scale, shape_text
from digits_ray.errors import UserError


@dataclass(frozen=True)
class ImageFormat:
    """What the images of a fit were like. Those to predict must be alike."""

    shape: tuple[int, ...]  # of an image: (height, width), or (height, width, 3) in colour
    pixel_scale: Literal[1, 255]  # the greatest value that a pixel could have

    def pixels(self, rows: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
        """Returns images to predict, as pixels.

        Args:
            rows: (rows, pixels) of any type of number.
            layout: What they had in the place of (pixels,) before they were made flat.

        Returns:
            (rows, height, width) uint8, or (rows, height, width, 3).

        Raises:
            UserError: they are not like those of the fit.
        """
        if layout and _without_single_channel(layout) != self.shape:
            raise UserError(f"X: images of shape {layout}, but those of fit were {shape_text(self.shape)}.")
        return pixels_on_scale("X", rows, self.pixel_scale).reshape(len(rows), *self.shape)


def flattened(given: Any) -> tuple[Any, tuple[int, ...]]:
    """Returns images as a table, which scikit-learn's checks are for, and the shape that each image had.

    Args:
        given: (rows, pixels), (rows, height, width), (rows, height, width, channels), or what no array can be made of.

    Returns:
        (rows, pixels); what is no array of images is left to scikit-learn's own messages, as it is.
    """
    if getattr(given, "ndim", 3) <= 2:  # data frames and sparse matrices too
        return given, ()
    array = as_array("X", given)
    if array.ndim <= 2:
        return array, ()
    return array.reshape(len(array), math.prod(array.shape[1:])), array.shape[1:]


def training_pixels(rows: np.ndarray, layout: tuple[int, ...], image_shape: Any) -> tuple[np.ndarray, Literal[1, 255]]:
    """Returns the images of a fit as pixels, and their scale.

    Args:
        rows: (rows, pixels) of any type of number.
        layout: As `flattened` gives it.
        image_shape: (height, width) or (height, width, 3), as the user gives it. None: as the layout has it; a table's
            rows are square images.

    Returns:
        (rows, height, width) uint8, or (rows, height, width, channels) where they were given so; and the greatest value
        that a pixel could have.

    Raises:
        UserError: they are no images of this shape, or no pixels.
    """
    shape = _given_shape(rows.shape[1], layout, image_shape)
    pixels = as_pixels("X", rows)
    return pixels.values.reshape(len(rows), *shape), pixels.scale


def _given_shape(pixels: int, layout: tuple[int, ...], image_shape: Any) -> tuple[int, ...]:
    """Returns the shape of each image, as the user has it."""
    if image_shape is None:
        return layout or _square(pixels)
    shape = _checked(image_shape)
    if layout and _without_single_channel(layout) != _without_single_channel(shape):
        raise UserError(f"image_shape={image_shape}: X has images of shape {layout}. Leave image_shape out.")
    if math.prod(shape) != pixels:
        raise UserError(f"image_shape={image_shape}: {math.prod(shape)} numbers an image, but X has {pixels} a row.")
    return shape


def _square(pixels: int) -> tuple[int, int]:
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise UserError(
            f"X: {pixels} numbers a row are no square image. Give image_shape=(height, width), (height, width, 3) in "
            "colour, or X of (rows, height, width)."
        )
    return side, side


def _checked(image_shape: Any) -> tuple[int, ...]:
    """Returns what the user gives for the shape of an image, once it is one."""
    sizes = tuple(image_shape) if isinstance(image_shape, Sequence) and not isinstance(image_shape, str) else ()
    if len(sizes) not in (2, 3) or not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise UserError(f"image_shape={image_shape!r}: (height, width) is expected, or (height, width, 3) in colour.")
    return tuple(map(int, sizes))


def _without_single_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (height, width) for (height, width, 1)."""
    return shape[:2] if shape[2:] == (1,) else shape
