"""The shape of an image, from the number of its pixels in a row."""

import math

from digits_ray.data.image_shape import COLOUR_CHANNELS
from digits_ray.errors import UserError


def image_shape(path: str, pixels: int, size: tuple[int, int] | None, height: int | None) -> tuple[int, ...]:
    """Returns (height, width), or (height, width, 3) for three numbers a pixel.

    Args:
        path: For the message.
        pixels: Numbers an image.
        size: Height and width, where the file tells.
        height: The setting `data.height`; without it, images are square.

    Raises:
        UserError: The number of pixels makes no such image.
    """
    if height is not None and (pixels % height or (size and size[0] != height)):
        told = f"images of {size[0]} × {size[1]} by their names" if size else f"{pixels} pixels an image"
        raise UserError(f"{path}: data.height={height}, but {told}. Give the number of rows that an image has.")
    shape = size or square_shape(pixels) or (height and (height, pixels // height))
    if not shape:
        raise UserError(
            f"{path}: {pixels} pixels an image make no square (28 × 28 has 784). Write every pixel of each image; "
            "for images that are not square, say how many rows of pixels they have: --set data.height=ROWS."
        )
    return shape if height in (None, shape[0]) else (height, pixels // height)


def square_shape(pixels: int) -> tuple[int, ...] | None:
    """Returns the shape of a square image in grey, or else in colours; None when the number makes neither."""
    side = math.isqrt(pixels)
    if pixels and side * side == pixels:
        return side, side
    side = math.isqrt(pixels // COLOUR_CHANNELS)
    if pixels and side * side * COLOUR_CHANNELS == pixels:
        return side, side, COLOUR_CHANNELS
    return None
