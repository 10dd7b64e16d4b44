"""The body of a request, as images of the size that the run was trained on. Nothing here trusts its sender."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn

import numpy as np

from digits_ray.config import DataConfig
from digits_ray.data import DrawingForm, image_of_picture, image_of_strokes, images_like
from digits_ray.data.readers.picture import BadPictureError, decode, shape_from_header
from digits_ray.errors import UserError
from digits_ray.serving.settings import MOST_IMAGES, MOST_PICTURE_PIXELS, MOST_POINTS

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_JSON_KEYS = ("images", "drawing")


class RequestError(Exception):
    """What is wrong with a request: the status code of HTTP, and one line for its sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, eq=False)
class RequestedImages:
    """The images of a request."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8
    were_changed: bool  # whether a drawing or picture was brought into the form of the training images


def parse_body(body: bytes, shape: tuple[int, ...], form: DrawingForm) -> RequestedImages:
    """Returns the images of a request: a PNG, a JPEG, or JSON.

    Args:
        body: Its first bytes tell which; JSON is an object with `images` or `drawing`.
        shape: Of an image: (height, width) or (height, width, 3).
        form: Of the training images.

    Raises:
        RequestError: it is none of them, or they are not as they should be.
    """
    if not body:
        raise RequestError(400, "the body is empty. Send a PNG, a JPEG or JSON.")
    try:
        if body.startswith(_PICTURES):
            return _parse_picture(body, shape, form)
        return _parse_json(body, shape, form)
    except UserError as error:
        raise RequestError(422, str(error)) from None


# Pictures


def _parse_picture(body: bytes, shape: tuple[int, ...], form: DrawingForm) -> RequestedImages:
    settings = DataConfig(grayscale=len(shape) == 2)
    try:
        size = shape_from_header(BytesIO(body), settings)  # before a pixel is decoded
        if size.height * size.width > MOST_PICTURE_PIXELS:
            most = MOST_PICTURE_PIXELS >> 20
            raise RequestError(422, f"the picture of {size} has more than {most} million pixels. Scale it down.")
        picture = decode(BytesIO(body), settings)
    except BadPictureError as error:
        raise RequestError(422, f"the picture: {error}") from None
    if picture.shape == shape:
        return RequestedImages(picture[np.newaxis], were_changed=False)
    return RequestedImages(image_of_picture(picture, form)[np.newaxis], were_changed=True)


# JSON


def _parse_json(body: bytes, shape: tuple[int, ...], form: DrawingForm) -> RequestedImages:
    values = _json_object(body)
    if "drawing" in values:
        image = image_of_strokes(_strokes(values["drawing"]), form)
        return RequestedImages(image[np.newaxis], were_changed=True)
    images = images_like(_array(values["images"]), shape)
    if not len(images):
        raise RequestError(422, "images: none. Send at least one.")
    if len(images) > MOST_IMAGES:
        raise RequestError(413, f"images: {len(images):,} in one request. At most {MOST_IMAGES} at a time.")
    return RequestedImages(images, were_changed=False)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise RequestError(400, "the body is neither PNG nor JPEG nor valid JSON.") from None
    if not isinstance(values, dict) or sum(key in values for key in _JSON_KEYS) != 1 or len(values) != 1:
        raise RequestError(422, 'the JSON is an object with "images" alone, [[[0 … 255]]], or with "drawing" alone.')
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _array(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        raise RequestError(422, "images: rows of different lengths. Every image has the same size.") from None
    if array.dtype.kind not in "iuf":
        raise RequestError(422, "images: not all of them are numbers from 0 to 255.")
    return array


def _strokes(values: Any) -> list[list[tuple[float, float]]]:
    """Returns strokes as lists of points (x, y)."""
    what = "drawing: strokes of points are expected, [[[x, y], …], …]; at least one point."
    if not isinstance(values, list) or not all(isinstance(stroke, list) for stroke in values):
        raise RequestError(422, what)
    points = [point for stroke in values for point in stroke]
    if not points or not all(map(_is_point, points)):
        raise RequestError(422, what)
    if len(points) > MOST_POINTS:
        raise RequestError(413, f"drawing: {len(points):,} points. At most {MOST_POINTS:,}.")
    return [[(float(x), float(y)) for x, y in stroke] for stroke in values if stroke]


def _is_point(point: Any) -> bool:
    return isinstance(point, Sequence) and len(point) == 2 and all(map(_is_coordinate, point))


def _is_coordinate(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e6 and math.isfinite(value)
