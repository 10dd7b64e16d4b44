"""Images and labels from NumPy arrays of the shapes and types that people have."""

from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.labels import checked_texts
from digits_ray.data.readers.image_shape import image_shape
from digits_ray.data.readers.pixels import BadPixelError, Pixels, bytes_of
from digits_ray.errors import UserError

_CHANNELS = (1, 3)
_LABEL_TYPES = {
    "i": pa.int64(),
    "u": pa.uint64(),
    "f": pa.float64(),
    "U": pa.string(),
    "S": pa.binary(),
    "b": pa.bool_(),
}


def images_of_array(path: str, key: str, images: np.ndarray, height: int | None) -> Pixels:
    """Returns images as (rows, height, width) or (rows, height, width, 3) uint8.

    Args:
        path: For messages.
        key: The array's name, for messages.
        images: The same, or (rows, height, width, 1), or (rows, pixels); whole numbers, or fractions from 0 to 1.
        height: The setting `data.height`, for (rows, pixels).

    Raises:
        UserError: They are of another shape or type; where a transpose mends it, it is named.
    """
    if images.dtype.kind not in "uif":
        cure = "(255 * images).astype('uint8')" if images.dtype.kind == "b" else ".astype('uint8')"
        raise UserError(f"{path}: array {key!r} is {images.dtype}, not uint8. Save pixels from 0 to 255, by {cure}.")
    shaped = _shaped(path, key, images, height)
    if shaped.dtype == np.uint8:
        return Pixels(np.ascontiguousarray(shaped))
    try:
        return bytes_of(shaped)
    except BadPixelError as error:
        row, *index = error.index
        raise UserError(f"{path}: array {key!r}, row {row + 1}, pixel {tuple(index)}: {error.fault}") from None


def label_texts_of_array(path: str, key: str, labels: np.ndarray, rows: int, what: str = "label") -> Any:
    """Returns labels or ids as text.

    Args:
        path: For messages.
        key: The array's name, for messages.
        labels: (rows,) or (rows, 1) integers, whole floats, booleans, text or bytes; or (rows, classes), with a single
            1 in each row and 0 elsewhere, which are the classes 0, 1, ….
        rows: Of the images.
        what: "label" or "id".

    Returns:
        (rows,) pyarrow array of strings, as `checked_texts` gives them.

    Raises:
        UserError: Naming the row at fault.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and len(labels) == rows and what == "label":
        labels = _from_one_hot(path, key, labels)
    if labels.shape != (rows,):
        raise UserError(
            f"{path}: array {key!r} has shape {labels.shape}, not ({rows},). Save one {what} for each image."
        )
    if labels.dtype.kind not in _LABEL_TYPES:
        raise UserError(f"{path}: array {key!r} is {labels.dtype}. Save whole numbers or text, e.g. by .astype(str).")
    typed = pa.array(labels.tolist(), _LABEL_TYPES[labels.dtype.kind])
    return checked_texts(path, f"array {key!r}", typed, what)


def _shaped(path: str, key: str, images: np.ndarray, height: int | None) -> np.ndarray:
    if images.ndim == 2 and images.shape[1]:
        return images.reshape(len(images), *image_shape(path, images.shape[1], None, height))
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or 0 in images.shape[1:] or (images.ndim == 4 and images.shape[3] != 3):
        raise UserError(f"{path}: array {key!r} has shape {images.shape}, {_fault_of_shape(key, images.shape)}.")
    return images


def _fault_of_shape(key: str, shape: tuple[int, ...]) -> str:
    """Returns what is wrong with an array's shape, and what mends it; without the full stop."""
    if len(shape) == 4 and shape[1] in _CHANNELS:
        return f"channels first. Save {key}.transpose(0, 2, 3, 1)"
    if len(shape) == 4 and shape[2] in _CHANNELS:  # MATLAB's order, as in SVHN's files
        return f"rows last. Save {key}.transpose(3, 0, 1, 2)"
    if shape[3:] == (4,):
        return f"not (rows, height, width, 3), but a fourth channel. Save {key}[..., :3]"
    if len(shape) == 1:
        return "not (rows, height, width): a value for each row. Name the file of images"
    return "not (rows, height, width), nor (rows, height, width, 3). Save images so"


def _from_one_hot(path: str, key: str, labels: np.ndarray) -> np.ndarray:
    """Returns (rows,) int64 of the columns that hold the 1."""
    is_hot = labels == 1
    bad = (is_hot.sum(axis=1) != 1) | ((labels != 0) & ~is_hot).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"{path}: array {key!r} has shape {labels.shape}, but row {row + 1} is not a 1 among zeros. "
            "Save one label for each image."
        )
    return is_hot.argmax(axis=1)
