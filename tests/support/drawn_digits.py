"""The ten digits as the strokes of a pen, in a square from (0, 0) to (1, 1), y downwards."""

import math
from itertools import pairwise

Point = tuple[float, float]
Strokes = list[list[Point]]


def _arc(x: float, y: float, radii: Point, degrees: tuple[float, float], steps: int = 28) -> list[Point]:
    """Part of an ellipse; 0° is to the right, 90° down."""
    first, last = degrees
    angles = [math.radians(first + (last - first) * step / steps) for step in range(steps + 1)]
    return [(x + radii[0] * math.cos(angle), y + radii[1] * math.sin(angle)) for angle in angles]


def _line(*corners: Point, steps: int = 8) -> list[Point]:
    """Straight lines from corner to corner."""
    pairs = pairwise(corners)
    return [
        (left + (right - left) * step / steps, top + (bottom - top) * step / steps)
        for (left, top), (right, bottom) in pairs
        for step in range(steps + 1)
    ]


DIGITS: dict[int, Strokes] = {
    0: [_arc(0.5, 0.5, (0.22, 0.34), (-90, 270), steps=40)],
    1: [_line((0.4, 0.28), (0.54, 0.16), (0.52, 0.84))],
    2: [_arc(0.5, 0.34, (0.2, 0.19), (-170, 40)) + _line((0.65, 0.46), (0.3, 0.83), (0.72, 0.82))],
    3: [_arc(0.48, 0.33, (0.2, 0.17), (-160, 80)) + _arc(0.48, 0.66, (0.23, 0.18), (-80, 150))],
    4: [_line((0.36, 0.16), (0.3, 0.56), (0.74, 0.54)), _line((0.6, 0.3), (0.58, 0.86))],
    5: [_line((0.7, 0.17), (0.38, 0.17), (0.35, 0.46)) + _arc(0.47, 0.62, (0.22, 0.21), (-120, 140))],
    6: [_line((0.6, 0.15), (0.45, 0.3), (0.34, 0.52)) + _arc(0.5, 0.66, (0.18, 0.18), (-180, 180))],
    7: [_line((0.28, 0.18), (0.72, 0.18), (0.46, 0.86))],
    8: [_arc(0.5, 0.33, (0.17, 0.16), (90, -270)) + _arc(0.5, 0.67, (0.2, 0.18), (-90, 270))],
    9: [_arc(0.52, 0.34, (0.17, 0.18), (20, -340)) + _line((0.69, 0.36), (0.6, 0.86))],
}
