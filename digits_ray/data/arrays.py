"""Images and labels that are in memory already: NumPy arrays, or what `np.asarray` makes arrays of."""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.error_text import one_line
from digits_ray.data.groups import numbered_by_appearance
from digits_ray.data.holdout import Holdout, add_holdout
from digits_ray.data.image_shape import COLOUR_CHANNELS, channels_of, refuse_other_shape, shape_text
from digits_ray.data.labels import Class, checked_texts, encode_labels
from digits_ray.data.labels_of_test_rows import labels_of_test_rows
from digits_ray.data.loading import Data
from digits_ray.data.pixels import as_array, as_image_array, as_pixels
from digits_ray.errors import UserError

ARRAYS = "arrays"  # the source of such data, where files have their path

_LAYOUT = "(rows, height, width), or (rows, height, width, 3) in colour"
_CHANNELS_LAST = "Give np.moveaxis(images, -3, -1)"
_GREY = "Make them grey as the training images were, e.g. np.rint({} @ [0.299, 0.587, 0.114])"


def load_arrays(train: Any, test: Any, holdout: Any = None, groups: Any = None) -> Data:
    """Checks the data of a run that are given as arrays.

    Args:
        train: A pair: images (rows, height, width) or (rows, height, width, 1 or 3), and labels (rows,), any strings
            or whole numbers. Images are pixels of 0 … 255, or of 0 … 1 where a fraction occurs; flat ones,
            (rows, pixels), are square.
        test: Images to label, alike, or a pair (images, labels) whose labels score the ensemble; None without any.
        holdout: A pair as `train`, which scores and chooses nothing; None without any.
        groups: (training rows,) any strings or whole numbers, of writers or patients; None without any.

    Raises:
        UserError: they are not as they should be, or do not fit together.
    """
    data = _labelled_data(train, groups)
    if test is not None:
        data = _with_test_images(data, test)
    if holdout is None:
        return data
    images, labels = _pair(holdout, "holdout")
    images, notes = _training_images("holdout", images)
    refuse_other_shape("train", data.images.shape[1:], "holdout", images.shape[1:])
    return add_holdout(data, Holdout("holdout", images, *_encoded_labels(labels, len(images), "holdout labels"), notes))


def _labelled_data(train: Any, groups: Any) -> Data:
    images, labels = _pair(train, "train")
    images, notes = _training_images("train", images)
    labels, classes = _encoded_labels(labels, len(images))
    if len(classes) < 2:
        raise UserError(f"labels: every image has the label {classes[0]!r}. Add images of at least one other class.")
    numbers = None
    if groups is not None:
        numbers = numbered_by_appearance(_encoded_labels(groups, len(images), "groups", "group")[0])
    return Data(images, labels, classes, images[:0], ARRAYS, None, notes, groups=numbers)


def _with_test_images(data: Data, test: Any) -> Data:
    """Returns the data with images to label, whose own labels may be given."""
    given, given_labels = test if _is_pair(test) else (test, None)
    images, notes = _training_images("test", given)
    refuse_other_shape("train", data.images.shape[1:], "test", images.shape[1:])
    texts = None if given_labels is None else _texts(given_labels, len(images), "test", "test labels")
    labels, label_notes = labels_of_test_rows("test", texts, data.classes)
    return replace(
        data, test_images=images, test_source=ARRAYS, test_labels=labels, notes=data.notes + notes + label_notes
    )


def images_like(given: Any, shape: tuple[int, ...], not_pixels: Collection[str] = ()) -> np.ndarray:
    """Returns images for a model, from one image or many in any layout that cannot be mistaken.

    Args:
        given: One image or many, flat or not, with or without an axis for a single channel; an array, a list, a
            tensor, or a data frame with a column for each pixel, whose columns id and label are left out.
        shape: Of an image that the model takes: (height, width), or (height, width, 3).
        not_pixels: Further columns of a data frame that are left out.

    Returns:
        (rows, *shape) uint8.

    Raises:
        UserError: they have another shape, or are no pixels.
    """
    array = as_image_array("images", given, not_pixels)
    rows = _rows_of_shape(array.shape, shape)
    if rows is None:
        raise _other_shape(array.shape, shape)
    return as_pixels("images", array).values.reshape(rows, *shape)


# The data of a run


def _pair(pair: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        given = f"{type(pair).__name__} of {len(pair)}" if isinstance(pair, Sequence) else type(pair).__name__
        raise UserError(f"{name}: a pair (images, labels) is expected, not {given}. Give {name}=(images, labels).")
    return pair[0], pair[1]


def _is_pair(test: Any) -> bool:
    """Returns whether test images come with labels: a tuple of two images has images of the same dimensions."""
    if not isinstance(test, tuple) or len(test) != 2:
        return False
    images, labels = (as_array("test", part).ndim for part in test)
    return images > max(1, labels)


def _training_images(name: str, given: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns (rows, height, width[, 3]) uint8 and notes."""
    array = as_image_array(name, given)
    array, notes = (_unflattened if array.ndim == 2 else _with_channels_last)(name, array)
    if 0 in array.shape:
        raise UserError(f"{name}: images of shape {array.shape} hold nothing. Give at least one image.")
    pixels = as_pixels(name, array)
    return np.ascontiguousarray(pixels.values), notes + pixels.notes


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
    if array.ndim == 4 and shape[2] in (1, COLOUR_CHANNELS):
        raise UserError(f"{name}: images of shape {shape} have their rows last. Give images.transpose(3, 0, 1, 2).")
    if array.ndim == 4 and shape[3] == COLOUR_CHANNELS + 1:
        raise UserError(f"{name}: images of shape {shape} have a fourth channel. Leave it out: images[..., :3].")
    raise UserError(f"{name}: images of shape {shape}, not {_LAYOUT}. Reshape them.")


def _encoded_labels(
    given: Any, rows: int, name: str = "labels", what: str = "label"
) -> tuple[np.ndarray, tuple[Class, ...]]:
    """Returns (rows,) int32 index into the classes, and the classes; of groups, index and names; see `_texts`."""
    return encode_labels(_texts(given, rows, "holdout" if name == "holdout labels" else "train", name, what))


def _texts(given: Any, rows: int, source: str, name: str, what: str = "label") -> Any:
    """Returns (rows,) pyarrow array of strings.

    Args:
        given: (rows,) whatever `np.asarray` takes.
        rows: Of the images.
        source: The argument that the images came by, for messages.
        name: Of the labels or groups, for messages.
        what: "label" or "group".
    """
    labels = as_array(name, given)
    if labels.shape == (rows, 1):
        labels = labels[:, 0]
    if labels.ndim == 2 and len(labels) == rows:
        raise UserError(f"{name}: of shape {labels.shape}, not ({rows},). If they are one-hot: labels.argmax(axis=1).")
    if labels.shape != (rows,):
        raise UserError(f"{name}: of shape {labels.shape} for {rows} images. Give one {what} for each image.")
    try:
        typed = pa.array(labels.tolist(), from_pandas=True)  # by Python's types, which NumPy's of text need not be
    except (pa.ArrowException, OverflowError) as error:
        raise UserError(f"{name}: not all of one type ({one_line(error)}). Give whole numbers or text.") from None
    return checked_texts(source, name, typed, what)


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
    if channels == COLOUR_CHANNELS and given[-2:] == size and len(given) < 4:
        return "Give them in colour: np.stack([images] * 3, axis=-1)"
    if channels == 1 and given[-3:] == (*size, COLOUR_CHANNELS):
        return _GREY.format("images")
    if channels == 1 and given[-3:] == (COLOUR_CHANNELS, *size):
        return _GREY.format("np.moveaxis(images, -3, -1)")
    if given[-3:] == (*size, COLOUR_CHANNELS + 1):
        return "Leave out the fourth channel: images[..., :3]"
    if len(given) in (3, 4) and size not in (given[-2:], given[-3:-1]):
        return f"Resize them to {size[0]} × {size[1]}"
    return f"Give (rows, {', '.join(map(str, shape))}), or {math.prod(shape)} numbers a row"
