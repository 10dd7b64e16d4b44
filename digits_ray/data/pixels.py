"""What a user gives for an array, as a NumPy array of pixels from 0 to 255."""

import math
import re
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.readers.columns import is_id_name, is_label_name
from digits_ray.data.readers.pixels import BadPixelError, Pixels, bytes_of, multiplied_by_255
from digits_ray.errors import UserError

_NAN = "some values are NaN. Fill them in, e.g. np.nan_to_num(images)."
_FAILURES = (TypeError, ValueError, RuntimeError, OverflowError)  # of np.asarray: ragged lists, tensors on a GPU


def as_image_array(name: str, given: Any, not_pixels: Collection[str] = ()) -> np.ndarray:
    """Returns what `as_array` does; of a data frame, the columns that are pixels.

    Args:
        name: What to call it in messages.
        given: (rows, …), whatever `np.asarray` takes.
        not_pixels: Further columns of a data frame that are left out, as those are that hold ids or labels by name.

    Returns:
        (rows, …), of any type.

    Raises:
        UserError: no array can be made of it, or the columns of a data frame are not in their order.
    """
    if isinstance(given, pa.Table):
        given = given.to_pandas()
    return as_array(name, _pixel_columns(name, given, not_pixels) if hasattr(given, "columns") else given)


def as_array(name: str, given: Any) -> np.ndarray:
    """Returns what `np.asarray` makes of it.

    Args:
        name: What to call it in messages.
        given: (rows, …), whatever `np.asarray` takes.

    Returns:
        (rows, …), of any type.

    Raises:
        UserError: no array can be made of it.
    """
    try:
        array = np.asarray(given)
    except _FAILURES as error:
        raise UserError(
            f"{name}: no array can be made of this {type(given).__name__} ({one_line(error)}). Give a NumPy array."
        ) from None
    if array.ndim == 0:
        raise UserError(f"{name}: {quoted(given)} is no array. Give a NumPy array.")
    return array


def _pixel_columns(name: str, frame: Any, not_pixels: Collection[str]) -> Any:
    """Returns a data frame without the columns that name or label its rows, and those that are left out besides."""
    columns = [column for column in frame.columns if not _is_left_out(str(column), not_pixels)]
    numbers = [tuple(map(int, re.findall(r"\d+", str(column)))) for column in columns]
    alike = len({len(number) for number in numbers}) == 1
    if alike and numbers != sorted(numbers):
        first = next(position for position, (left, right) in enumerate(pairwise(numbers)) if left > right)
        before, after = map(quoted, columns[first : first + 2])
        raise UserError(f"{name}: column {after} follows {before}. Put the pixels in their order.")
    return frame[columns]


def _is_left_out(column: str, not_pixels: Collection[str]) -> bool:
    return is_label_name(column) or is_id_name(column) or column in not_pixels


def as_pixels(name: str, array: np.ndarray) -> Pixels:
    """Returns pixels of 0 … 255 from numbers of any type.

    Args:
        name: What to call them in messages and notes.
        array: (rows, …), whole numbers of 0 … 255; or floats of 0 … 1, which are scaled if a fraction is among them.

    Returns:
        The same shape; and notes on what was assumed.

    Raises:
        UserError: they are neither.
    """
    if array.dtype == np.uint8:
        return Pixels(array)
    if array.dtype.kind not in "iuf":
        cure = "Multiply them by np.uint8(255)" if array.dtype == bool else "Give numbers, pixels of 0 to 255 (uint8)"
        raise UserError(f"{name}: of type {array.dtype}. {cure}.")
    try:
        pixels = bytes_of(array)
    except BadPixelError:
        raise UserError(f"{name}: {_fault(float(array.min()), float(array.max()))}") from None
    if array.dtype.kind == "f" and pixels.scale == 255 and array.size and pixels.values.max() == 1:
        raise UserError(
            f"{name}: floats of 0 and 1 alone: black and white, or nearly black? Give np.uint8(255 * images), or "
            "np.uint8(images) for nearly black."
        )
    return replace(pixels, notes=tuple(f"{name}: {note}" for note in pixels.notes))


def _fault(low: float, high: float) -> str:
    """Returns what keeps numbers from being pixels, with the cure."""
    if math.isnan(low):
        return _NAN
    if 0 <= low <= high <= 255:
        return f"fractions up to {high:g}. Round them: np.rint(images).astype('uint8')."
    return f"values from {low:g} to {high:g}. Pixels are 0 to 255: scale and round them (uint8)."


def pixels_on_scale(name: str, array: np.ndarray, scale: Literal[1, 255]) -> np.ndarray:
    """Returns pixels of 0 … 255 from numbers on the scale that the training images had.

    Args:
        name: What to call them in messages.
        array: (rows, …) of any type of number.
        scale: The greatest value that a pixel of the training images could have.

    Returns:
        (rows, …) uint8, the same shape.

    Raises:
        UserError: they are on another scale.
    """
    low, high = float(array.min()), float(array.max())
    if math.isnan(low):
        raise UserError(f"{name}: {_NAN}")
    if not 0 <= low <= high <= scale:
        raise UserError(
            f"{name}: values from {low:g} to {high:g}, but pixels of the training images were 0 to {scale}. "
            "Give all on one scale."
        )
    if scale == 1:
        return multiplied_by_255(array).values
    if array.dtype.kind == "f" and (array != np.floor(array)).any():
        raise UserError(
            f"{name}: fractions up to {high:g}, but pixels of the training images were whole numbers of 0 to 255. "
            "Give all on one scale."
        )
    return array.astype(np.uint8)
