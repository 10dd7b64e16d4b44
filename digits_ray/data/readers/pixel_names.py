"""Which columns of a table are pixels: names that differ in a number alone, or in a row and a column."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from digits_ray.data.error_text import quoted
from digits_ray.errors import UserError

_COUNTED = re.compile(r"(.*?)(\d+)(\D*)")  # pixel0, px_12, 0
_GRID = re.compile(r"(\D*)(\d+)(\D+)(\d+)(\D*)")  # 1x1, row0_column12
_WHOLE_FLOAT = re.compile(r"(\d+)\.0+")  # how pandas names columns that were numbered in floats


@dataclass(frozen=True)
class PixelColumns:
    """The columns that are pixels."""

    positions: tuple[int, ...]  # in the table, from 0
    size: tuple[int, int] | None  # height and width, where the names tell; else they count from the first pixel on


def find_pixels(path: str, names: Sequence[str], candidates: Sequence[int]) -> PixelColumns:
    """Finds the largest group of columns that are named alike.

    Args:
        path: For messages.
        names: Of all columns.
        candidates: Positions of those that may be pixels.

    Raises:
        UserError: The columns of the group are not in the order of the pixels, or another group is as large.
    """
    counted, other_counted = _largest_groups(names, candidates, _COUNTED)
    grid, other_grid = _largest_groups(names, candidates, _GRID)
    is_grid = len(grid) > len(counted)
    _refuse_several_groups(path, names, grid if is_grid else counted, other_grid if is_grid else other_counted)
    if is_grid:
        return PixelColumns(tuple(grid), _grid_size(path, names, grid))
    _refuse_disorder(path, names, counted)
    return PixelColumns(tuple(counted), None)


def _parts(name: str, pattern: re.Pattern[str]) -> list[str]:
    """Returns prefix, number and suffix (or two numbers, with what is between them); nothing where it has none."""
    whole_float = _WHOLE_FLOAT.fullmatch(name)
    match = pattern.fullmatch(whole_float[1] if whole_float else name)
    return list(match.groups()) if match else []


def _largest_groups(
    names: Sequence[str], candidates: Sequence[int], pattern: re.Pattern[str]
) -> tuple[list[int], list[int]]:
    """Returns the two largest groups, each in the order of the table; empty ones where there are fewer."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for position in candidates:
        if parts := _parts(names[position], pattern):
            groups[tuple(parts[0::2])].append(position)
    by_size = sorted(groups.values(), key=len, reverse=True)
    return (by_size[0] if by_size else []), (by_size[1] if len(by_size) > 1 else [])


def _refuse_several_groups(path: str, names: Sequence[str], group: list[int], other: list[int]) -> None:
    """Refuses colours in columns of names of their own: the first colour alone would be read as the image."""
    if len(group) > 1 and len(group) == len(other):
        raise UserError(
            f"{path}: {len(group)} columns are named like {quoted(names[group[0]])} and as many like "
            f"{quoted(names[other[0]])}. Name the pixels pixel0, pixel1, …; those of colour images as red, "
            "green and blue of the first pixel, then of the second, …. Leave out others by data.drop."
        )


def _refuse_disorder(path: str, names: Sequence[str], group: list[int]) -> None:
    for before, after in pairwise(group):
        prefix, number, suffix = _parts(names[before], _COUNTED)
        expected = int(number) + 1
        if int(_parts(names[after], _COUNTED)[1]) != expected:
            raise _disorder(path, names, after, f"{prefix}{str(expected).zfill(len(number))}{suffix}")


def _grid_size(path: str, names: Sequence[str], group: list[int]) -> tuple[int, int]:
    """Returns height and width, from names with a row and a column each."""
    parts = [_parts(names[position], _GRID) for position in group]
    pairs = [(int(part[1]), int(part[3])) for part in parts]
    rows, columns = (sorted({pair[axis] for pair in pairs}) for axis in (0, 1))
    ordered = list(product(range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1)))
    for position, pair, expected in zip(group, pairs, ordered, strict=False):
        if pair != expected:
            prefix, row, between, column, suffix = _parts(names[position], _GRID)
            name = f"{prefix}{str(expected[0]).zfill(len(row))}{between}{str(expected[1]).zfill(len(column))}{suffix}"
            raise _disorder(path, names, position, name)
    if len(pairs) != len(ordered):
        raise UserError(
            f"{path}: {len(pairs)} pixel columns where the names tell of {len(ordered)}. Write every pixel."
        )
    return len(rows), len(columns)


def _disorder(path: str, names: Sequence[str], position: int, expected: str) -> UserError:
    return UserError(
        f"{path}: column {position + 1} is {quoted(names[position])} where {quoted(expected)} is expected. "
        "Order the columns of pixels row by row, each pixel once."
    )
