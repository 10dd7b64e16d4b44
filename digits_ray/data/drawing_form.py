"""How training images are inked, sized and centred: measured, so that a drawing can be brought into the same form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

MEASURED_ROWS = 2000  # more change no figure
OUTLINE = 0.5  # of full ink: where a stroke ends
_INKED = 0.1  # of full ink; what has less belongs to the background
_STEADY = 0.05  # relative spread of a side that was scaled to one length
_PLAIN_BORDER = 0.6  # of the border's pixels; with fewer, the images are photographs and no drawings
_DARKEST_PERCENTILE = 95  # of an image's inked pixels: full ink

Fitted = Literal["longest side", "both sides"]
Centred = Literal["mass", "box"]


@dataclass(frozen=True)
class DrawingForm:
    """The form of the training images; all lengths in pixels of such an image."""

    height: int
    width: int
    is_drawing: bool  # whether they show ink on a plain ground; photographs do not
    background: tuple[float, ...]  # 0 … 255, for each channel
    ink: tuple[float, ...]  # the same of a full stroke
    fitted: Fitted  # what of the bounding box has `box` pixels
    box: tuple[float, float]  # height and width of the bounding box; their maximum where the longest side is fitted
    centred: Centred  # which centre lies at `centre`
    centre: tuple[float, float]  # row and column, from the outer edge of the first pixel
    stroke: float  # width
    edge: float  # width of the ramp from background to ink

    @property
    def channels(self) -> int:
        """1: grey; 3: red, green, blue."""
        return len(self.background)

    def to_json(self) -> dict[str, Any]:
        """Returns what drawing.json holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DrawingForm":
        """Reads drawing.json."""
        own: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        return cls(**own | {name: tuple(value) for name, value in own.items() if isinstance(value, list)})


def measure_form(images: np.ndarray) -> DrawingForm:
    """Measures the form of images.

    Args:
        images: (rows, height, width[, 3]) uint8, at least one row; of many, some are looked at.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, MEASURED_ROWS).astype(int))
    pixels = images[rows].astype(np.float32).reshape(len(rows), *images.shape[1:3], -1)
    background = np.median(_border(pixels), axis=(0, 1))
    ink = _ink_colour(pixels, background)
    amounts = _ink_amounts(pixels, background, ink)
    plain_border = float((_border(amounts) < _INKED).mean())
    not_blank = amounts.max(axis=(1, 2)) >= OUTLINE
    if not not_blank.any():  # an image that is inked all over measures as the whole of its frame
        amounts, not_blank = np.ones_like(amounts), np.ones_like(not_blank)
    return DrawingForm(
        height=images.shape[1],
        width=images.shape[2],
        is_drawing=plain_border >= _PLAIN_BORDER,
        background=_rounded(background),
        ink=_rounded(ink),
        **_geometry(amounts[not_blank]),
    )


def _geometry(amounts: np.ndarray) -> dict[str, Any]:
    """Returns the lengths of a form, from (rows, height, width) 0 … 1; no image is blank."""
    boxes, centres_of_mass = _boxes(amounts), _centres_of_mass(amounts)
    centres_of_box = boxes.mean(axis=1)
    by_mass = centres_of_mass.std(axis=0).sum() <= centres_of_box.std(axis=0).sum()
    fitted, box = _fitted_box(boxes[:, 1] - boxes[:, 0])
    stroke, edge = _stroke_and_edge(amounts)
    return {
        "fitted": fitted,
        "box": box,
        "centred": "mass" if by_mass else "box",
        "centre": _pair(np.median(centres_of_mass if by_mass else centres_of_box, axis=0)),
        "stroke": stroke,
        "edge": edge,
    }


def _ink_amounts(pixels: np.ndarray, background: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Returns how much of the way from background to ink each pixel is, 0 … 1.

    Args:
        pixels: (…, channels) float32.
        background: (channels,).
        ink: (channels,).
    """
    way = (ink - background).astype(np.float32)
    return np.clip((pixels - background.astype(np.float32)) @ way / max(float(way @ way), 1.0), 0, 1)


def _border(pixels: np.ndarray) -> np.ndarray:
    """Returns the outermost pixels of (rows, height, width[, channels]), as (rows, pixels[, channels])."""
    sides = (pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1])
    return np.concatenate(sides, axis=1)


def _ink_colour(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns the colour of those pixels that are furthest from the background, image by image."""
    distances = np.linalg.norm(pixels - background, axis=-1)
    furthest = np.percentile(distances, _DARKEST_PERCENTILE, axis=(1, 2), keepdims=True)
    inked = (distances >= furthest) & (distances > 0)
    return np.median(pixels[inked], axis=0) if inked.any() else 255 - background


def _boxes(amounts: np.ndarray) -> np.ndarray:
    """Returns (rows, 2, 2): first edge, last edge × vertical, horizontal."""
    rows, columns = amounts.max(axis=2) >= OUTLINE, amounts.max(axis=1) >= OUTLINE
    first = [inked.argmax(axis=1) for inked in (rows, columns)]
    last = [inked.shape[1] - inked[:, ::-1].argmax(axis=1) for inked in (rows, columns)]
    return np.array([first, last]).transpose(2, 0, 1)


def _centres_of_mass(amounts: np.ndarray) -> np.ndarray:
    """Returns (rows, 2): row and column."""
    mass = amounts.sum(axis=(1, 2))
    row = amounts.sum(axis=2) @ (np.arange(amounts.shape[1]) + 0.5) / mass
    column = amounts.sum(axis=1) @ (np.arange(amounts.shape[2]) + 0.5) / mass
    return np.stack([row, column], axis=1)


def _fitted_box(sides: np.ndarray) -> tuple[Fitted, tuple[float, float]]:
    """Returns what of the box is the same in all images, and the box; `sides` is (rows, 2): height and width."""
    if (sides.std(axis=0) < _STEADY * sides.mean(axis=0)).all():
        return "both sides", _pair(np.median(sides, axis=0))
    longest = float(np.median(sides.max(axis=1)))
    return "longest side", (longest, longest)


def _stroke_and_edge(amounts: np.ndarray) -> tuple[float, float]:
    """Returns the widths of a stroke and of its ramp.

    A stroke has two sides, and each adds its length to the sum of all gradients, however wide the ramp: so the width
    is twice the area by that sum. The ramp from 10 % to 90 % ink is the area that is partly inked, by the same length.
    """
    down, across = np.diff(amounts, axis=1)[:, :, :-1], np.diff(amounts, axis=2)[:, :-1]
    length = max(float(np.hypot(down, across).sum()), 1.0)
    partly = ((amounts > _INKED) & (amounts < 1 - _INKED)).sum()
    stroke, edge = 2 * float(amounts.sum()) / length, float(partly) / length / (1 - 2 * _INKED)
    return round(stroke, 2), round(max(1.0, min(edge, stroke)), 2)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in values)


def _pair(values: np.ndarray) -> tuple[float, float]:
    first, second = _rounded(values)
    return first, second
