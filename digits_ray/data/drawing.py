"""Brings a drawing, or a picture of one, into the form of the training images."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from digits_ray.data.drawing_form import OUTLINE, DrawingForm

_SHORTEST_STEP = 0.25  # pixels; points of a stroke that lie closer change nothing that can be seen
_LEAST_CONTRAST = 16.0  # of 255, between a picture's ground and its ink
_FULL_INK_PERCENTILE = 99.0  # of a picture's inked pixels
_PAPER = 0.25  # of full ink; what has less is the paper, its shadows and the noise of a camera

Stroke = Sequence[tuple[float, float]]  # points (x, y), y downwards, in any unit


def image_of_strokes(strokes: Sequence[Stroke], form: DrawingForm) -> np.ndarray:
    """Returns what is drawn as the training images would show it.

    Args:
        strokes: Those of a pen; at least one with at least one point.
        form: Of the training images.

    Returns:
        (height, width) or (height, width, 3) uint8.
    """
    lines = [np.array(stroke, np.float64)[:, ::-1] for stroke in strokes if len(stroke)]
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = _scale(high - low, form, margin=form.stroke)
    middle = np.array([form.height, form.width]) / 2
    segments = _segments([(line - (low + high) / 2) * scale + middle for line in lines])
    amounts = _inked_segments(segments, form)
    amounts = _inked_segments(segments + np.array(form.centre) - _centre(amounts, form), form)
    return _coloured(amounts, form)


def image_of_picture(picture: np.ndarray, form: DrawingForm) -> np.ndarray:
    """Returns a picture as the training images would show it.

    Drawings are cut out, scaled and centred, light on dark or dark on light; photographs are scaled, cut to the sides'
    ratio.

    Args:
        picture: (rows, columns) or (rows, columns, 3) uint8, of any size.
        form: Of the training images.

    Returns:
        (height, width) or (height, width, 3) uint8.
    """
    if not form.is_drawing:
        return _scaled_photograph(picture, form)
    amounts = _ink_of_picture(picture)
    inked = np.argwhere(amounts >= OUTLINE)
    if len(inked) == 0:
        return _coloured(np.zeros((form.height, form.width)), form)
    low, high = inked.min(axis=0), inked.max(axis=0) + 1.0
    scale = _scale(high - low, form, margin=0.0)
    centre = (low + high) / 2 if form.centred == "box" else _centre_of_mass(amounts)
    return _coloured(_cut(amounts, centre - np.array(form.centre) / scale, scale, form), form)


def _scale(size: np.ndarray, form: DrawingForm, margin: float) -> np.ndarray:
    """Returns pixels a unit, (vertical, horizontal), by which `size` and a margin fill the form's box."""
    box = np.maximum(np.array(form.box) - margin, 1.0)
    longest = max(float(size.max()), 1e-9)
    if form.fitted == "both sides":  # what is thinner than a stroke is not spread
        return box / np.maximum(size, longest / 8)
    return np.full(2, float((box / np.maximum(size, longest * 1e-3)).min()))


def _segments(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (segments, 2, 2): ends × (row, column). A point alone is a segment of no length."""
    return np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in map(_thinned, lines)])


def _thinned(line: np.ndarray) -> np.ndarray:
    """Returns a line of at least two points without those that lie close to the one before."""
    points = [line[0]]
    for point in line[1:]:
        if np.hypot(*(point - points[-1])) >= _SHORTEST_STEP:
            points.append(point)
    return np.array([*points, line[-1]])


def _inked_segments(segments: np.ndarray, form: DrawingForm) -> np.ndarray:
    """Returns (height, width) 0 … 1: how much each pixel is inked by a pen along the segments."""
    rows, columns = np.mgrid[: form.height, : form.width] + 0.5
    pixels = np.stack([rows, columns], axis=-1).reshape(-1, 1, 2)
    start, way = segments[:, 0], segments[:, 1] - segments[:, 0]
    squared = np.maximum((way**2).sum(axis=1), 1e-12)
    along = np.clip(((pixels - start) * way).sum(axis=-1) / squared, 0, 1)
    distance = np.linalg.norm(pixels - start - along[..., None] * way, axis=-1).min(axis=1)
    amounts = np.clip(0.5 + (form.stroke / 2 - distance) / form.edge, 0, 1)
    return amounts.reshape(form.height, form.width)


def _centre(amounts: np.ndarray, form: DrawingForm) -> np.ndarray:
    if form.centred == "mass":
        return _centre_of_mass(amounts)
    inked = np.argwhere(amounts >= OUTLINE)
    return (inked.min(axis=0) + inked.max(axis=0) + 1) / 2 if len(inked) else np.array(amounts.shape) / 2


def _centre_of_mass(amounts: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(amounts.shape) + 0.5
    mass = max(float(amounts.sum()), 1e-9)
    return np.array([(amounts * rows).sum(), (amounts * columns).sum()]) / mass


def _coloured(amounts: np.ndarray, form: DrawingForm) -> np.ndarray:
    background, ink = np.array(form.background), np.array(form.ink)
    pixels = np.rint(background + amounts[..., None] * (ink - background)).astype(np.uint8)
    return pixels[..., 0] if form.channels == 1 else pixels


# Pictures


def _ink_of_picture(picture: np.ndarray) -> np.ndarray:
    """Returns (rows, columns) 0 … 1: how far each pixel is from the picture's ground, as its border shows it."""
    pixels = picture.reshape(*picture.shape[:2], -1).astype(np.float32)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    distance = np.abs(pixels - np.median(border, axis=0)).max(axis=-1)
    full = (
        float(np.percentile(distance[distance > _LEAST_CONTRAST], _FULL_INK_PERCENTILE))
        if (distance.max() > _LEAST_CONTRAST)
        else np.inf
    )
    amounts = np.clip(distance / full, 0, 1)
    return np.where(amounts > _PAPER, amounts, 0)


def _cut(amounts: np.ndarray, corner: np.ndarray, scale: np.ndarray, form: DrawingForm) -> np.ndarray:
    """Returns (height, width): the part of a picture from `corner` on, scaled with anti-aliasing; blank outside."""
    size = np.array([form.height, form.width]) / scale
    before = np.maximum(np.ceil(-corner), 0).astype(int)
    after = np.maximum(np.ceil(corner + size - amounts.shape), 0).astype(int)
    padded = np.pad(amounts, list(zip(before, after, strict=True))).astype(np.float32)
    top, left = corner + before
    bottom, right = corner + before + size
    image = Image.fromarray(padded, mode="F")
    scaled = image.resize((form.width, form.height), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return np.clip(np.asarray(scaled), 0, 1)


def _scaled_photograph(picture: np.ndarray, form: DrawingForm) -> np.ndarray:
    """Returns the middle of a picture in the sides' ratio, scaled."""
    rows, columns = picture.shape[:2]
    ratio = min(rows / form.height, columns / form.width)
    high, wide = form.height * ratio, form.width * ratio
    top, left = (rows - high) / 2, (columns - wide) / 2
    image = Image.fromarray(picture).convert("L" if form.channels == 1 else "RGB")
    size, box = (form.width, form.height), (left, top, left + wide, top + high)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))
