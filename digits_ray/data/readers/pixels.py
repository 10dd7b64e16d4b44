"""Pixels that are no bytes, in files and arrays: 12.0, or fractions from 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

_CHUNK_ROWS = 4096
_OVERSHOOT = 1e-6  # above 1, from arithmetic in float32
_EXACT = 0.2  # of a shade: more than what float16 and its shortest spelling add to a fraction of 255


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels as bytes, and what they were."""

    values: np.ndarray  # uint8
    scale: Literal[1, 255] = 255  # the greatest value that a pixel could have
    notes: tuple[str, ...] = ()  # what was assumed


class BadPixelError(Exception):
    """A pixel that cannot be meant, at its position among the rows' pixels."""

    def __init__(self, index: tuple[int, ...], fault: str) -> None:
        super().__init__(fault)
        self.index = index  # row, then position in it
        self.fault = fault  # with its cure


PIXEL_CURE = "Pixels are whole numbers from 0 to 255, or fractions from 0 to 1."


def bytes_of(values: np.ndarray) -> Pixels:
    """Turns numbers into bytes.

    Where any pixel has a fraction, all must lie from 0 to 1, and are multiplied by 255.

    Args:
        values: (rows, …) of any type of number.

    Returns:
        The same shape in uint8.

    Raises:
        BadPixelError: At the first pixel that cannot be meant.
    """
    greatest = _refuse_out_of_range(values)
    fraction = _first(values, lambda part: part != np.floor(part))
    if fraction is None:
        return Pixels(values.astype(np.uint8))
    if greatest > 1 + _OVERSHOOT:
        raise BadPixelError(
            fraction, f"{values[fraction]:g} is not whole, but the greatest is {greatest:g}. {PIXEL_CURE}"
        )
    return multiplied_by_255(values)


def multiplied_by_255(values: np.ndarray) -> Pixels:
    """Turns numbers from 0 to 1 into bytes.

    Args:
        values: (rows, …) of any type of number.

    Returns:
        The same shape in uint8.
    """
    pixels = np.empty(values.shape, np.uint8)
    error = 0.0
    for start in range(0, len(values), _CHUNK_ROWS):
        shades = values[start : start + _CHUNK_ROWS].astype(np.float64) * 255
        pixels[start : start + _CHUNK_ROWS] = whole = np.rint(shades).clip(0, 255)
        error = max(error, float(np.abs(shades - whole).max()))
    rounded = " and rounded" if error > _EXACT else ""
    return Pixels(pixels, 1, (f"pixels from 0 to 1 were multiplied by 255{rounded}",))


def _refuse_out_of_range(values: np.ndarray) -> float:
    """Returns the greatest pixel, once all are numbers from 0 to 255."""
    bad = _first(values, lambda part: ~((part >= 0) & (part <= 255)))  # not a number compares false
    if bad is None:
        return float(values.max()) if values.size else 0.0
    value = values[bad]
    words = "is below 0" if value < 0 else "is above 255" if value > 255 else "is no number"
    raise BadPixelError(bad, f"{value:g} {words}. {PIXEL_CURE}")


def _first(values: np.ndarray, condition: Callable[[np.ndarray], np.ndarray]) -> tuple[int, ...] | None:
    """Returns the index of the first value that meets a condition, chunk by chunk to spare memory."""
    for start in range(0, len(values), _CHUNK_ROWS):
        meets = condition(values[start : start + _CHUNK_ROWS])
        if meets.any():
            row, *rest = np.unravel_index(int(meets.argmax()), meets.shape)
            return (start + int(row), *map(int, rest))
    return None
