"""Images and labels that are in memory already: NumPy arrays, or what `np.asarray` makes arrays of."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.error_text import one_line
from digits_ray.data.image_shape import COLOUR_CHANNELS, channels_of, refuse_other_shape, shape_text
from digits_ray.data.labels import Class, checked_texts, encode_labels
from digits_ray.data.loading import Data
from digits_ray.data.pixels import as_array, as_image_array, as_pixels
from digits_ray.errors import UserError

ARRAYS = "arrays"  # the source of such data, where files have their path

_LAYOUT = "(rows, height, width), or (rows, height, width, 3) in colour"
_CHANNELS_LAST = "Give np.moveaxis(images, -3, -1)"


def load_arrays(train: Any, test: Any) -> Data:
    """Checks the data of a run that are given as arrays.

    Args:
        train: A pair: images (rows, height, width) or (rows, height, width, 1 or 3), and labels (rows,), any strings
            or whole numbers. Images are pixels of 0 … 255, or of 0 … 1 where a fraction occurs; flat ones,
            (rows, pixels), are square.
        test: Images to label, alike; None without any.

    Raises:
        UserError: they are not as they should be, or do not fit together.
    """
    images, labels = _pair(train)
    images, notes = _training_images("train", images)
    labels, classes = _encoded_labels(labels, len(images))
    if test is None:
        return Data(images, labels, classes, images[:0], ARRAYS, None, notes)
    test_images, test_notes = _training_images("test", test)
    refuse_other_shape("train", images.shape[1:], "test", test_images.shape[1:])
    return Data(images, labels, classes, test_images, ARRAYS, ARRAYS, notes + test_notes)


def images_like(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns images for a model, from one image or many in any layout that cannot be mistaken.

    Args:
        given: One image or many, flat or not, with or without an axis for a single channel; an array, a list, a
            tensor, or a data frame with a column for each pixel, whose columns id and label are left out.
        shape: Of an image that the model takes: (height, width), or (height, width, 3).

    Returns:
        (rows, *shape) uint8.

    Raises:
        UserError: they have another shape, or are no pixels.
    """
    array = as_image_array("images", given)
    rows = _rows_of_shape(array.shape, shape)
    if rows is None:
        raise _other_shape(array.shape, shape)
    pixels, _ = as_pixels("images", array)
    return pixels.reshape(rows, *shape)


# The data of a run


def _pair(train: Any) -> tuple[Any, Any]:
    if not isinstance(train, (tuple, list)) or len(train) != 2:
        given = f"{type(train).__name__} of {len(train)}" if isinstance(train, Sequence) else type(train).__name__
        raise UserError(f"train: a pair (images, labels) is expected, not {given}. Give train=(images, labels).")
    return train[0], train[1]


def _training_images(name: str, given: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns (rows, height, width[, 3]) uint8 and notes."""
    array = as_image_array(name, given)
    array, notes = (_unflattened if array.ndim == 2 else _with_channels_last)(name, array)
    if 0 in array.shape:
        raise UserError(f"{name}: images of shape {array.shape} hold nothing. Give at least one image.")
    pixels, scaled = as_pixels(name, array)
    return np.ascontiguousarray(pixels), notes + scaled


def _unflattened(name: str, array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    rows, pixels = array.shape
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise UserError(
            f"{name}: {pixels} numbers a row are no square image. Give images {_LAYOUT}: "
            "images.reshape(-1, height, width)."
        )
    return array.reshape(rows, side, side), (f"{name}: {pixels} numbers a row were taken for {side} × {side} pixels",)


def _with_channels_last(name: str, array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    shape = array.shape
    if array.ndim == 3 or (array.ndim == 4 and shape[3] == COLOUR_CHANNELS):
        return array, ()
    if array.ndim == 4 and shape[3] == 1:
        return array[..., 0], ()
    if array.ndim == 4 and shape[1] in (1, COLOUR_CHANNELS):
        raise UserError(f"{name}: images of shape {shape} have their channels first. {_CHANNELS_LAST}.")
    if array.ndim == 4 and shape[3] == COLOUR_CHANNELS + 1:
        raise UserError(f"{name}: images of shape {shape} have a fourth channel. Leave it out: images[..., :3].")
    raise UserError(f"{name}: images of shape {shape}, not {_LAYOUT}. Reshape them.")


def _encoded_labels(given: Any, rows: int) -> tuple[np.ndarray, tuple[Class, ...]]:
    """Returns (rows,) int32 index into the classes, and the classes."""
    labels = as_array("labels", given)
    if labels.shape == (rows, 1):
        labels = labels[:, 0]
    if labels.ndim == 2 and len(labels) == rows:
        raise UserError(f"labels: of shape {labels.shape}, not ({rows},). If they are one-hot: labels.argmax(axis=1).")
    if labels.shape != (rows,):
        raise UserError(f"labels: of shape {labels.shape} for {rows} images. Give one label for each image.")
    try:
        typed = pa.array(labels.tolist(), from_pandas=True)  # by Python's types, which NumPy's of text need not be
    except (pa.ArrowException, OverflowError) as error:
        raise UserError(f"labels: not all of one type ({one_line(error)}). Give whole numbers or text.") from None
    encoded, classes = encode_labels(checked_texts("train", "labels", typed))
    if len(classes) < 2:
        raise UserError(f"labels: every image has the label {classes[0]!r}. Add images of at least one other class.")
    return encoded, classes


# The images of a prediction


def _rows_of_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> int | None:
    """Returns how many images of `shape` lie in an array; None where its layout is another one."""
    pixels = math.prod(shape)
    layouts = [shape, (pixels,)] + ([(*shape, 1)] if len(shape) == 2 else [])
    if given[1:] in layouts:
        return given[0]
    return 1 if given in layouts else None


def _other_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> UserError:
    return UserError(f"images of shape {given}: this run was trained on {shape_text(shape)}. {_cure(given, shape)}.")


def _cure(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    size, channels = shape[:2], channels_of(shape)
    if given[-3:] == (channels, *size):
        return _CHANNELS_LAST
    if channels == COLOUR_CHANNELS and given[-2:] == size:
        return "Give them in colour: np.stack([images] * 3, axis=-1)"
    if channels == 1 and given[-3:] == (*size, COLOUR_CHANNELS):
        return "Make them grey as the training images were, e.g. np.rint(images @ [0.299, 0.587, 0.114])"
    if len(given) in (3, 4):
        return f"Resize them to {size[0]} × {size[1]}"
    return f"Give (rows, {', '.join(map(str, shape))}), or {math.prod(shape)} numbers a row"
