"""The table layout that CSV and Parquet share: `label,pixel0,…`, the label anywhere, pixels in order."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.data.error_text import quoted
from digits_ray.errors import UserError

LABEL = "label"
LAYOUT = "label,pixel0,pixel1,…"
PIXEL_CURE = "Pixels are whole numbers from 0 to 255: scale and round the images, then write the file again."

_GATHER_ROWS = 8192  # rows × 784 bytes stay in the processor's cache while 784 columns are interleaved


@dataclass(frozen=True)
class Columns:
    """A table's checked columns."""

    names: tuple[str, ...]  # in the file's order
    pixels: tuple[str, ...]  # pixel0, pixel1, …
    side: int  # pixels per image side

    @property
    def has_label(self) -> bool:
        """Whether the table has labels, read or not."""
        return len(self.names) > len(self.pixels)


def check_columns(path: str, names: list[str], labelled: bool) -> Columns:
    """Refuses columns that are not a label and pixels in order.

    Args:
        path: For the message.
        names: As the file has them.
        labelled: Whether a label column is required.

    Raises:
        UserError: Naming the first column that is wrong.
    """
    names = [name.strip() for name in names]
    _refuse_missing_header(path, names)
    _refuse_repeated(path, names)
    _refuse_unexpected(path, names)
    pixels = tuple(name for name in names if name != LABEL)
    if labelled and LABEL not in names:
        raise UserError(
            f"{path}: no column 'label'. Training needs each image's label: use the labelled file, laid out {LAYOUT}."
        )
    return Columns(tuple(names), pixels, _side(path, len(pixels)))


def pixel_fault(cell: str) -> str | None:
    """Returns what is wrong with a pixel's text, with the cure; None when nothing is."""
    text = cell.strip()
    if not text:
        return "the cell is empty. Fill it in or drop the row."
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return f"{quoted(cell)} is no number. {PIXEL_CURE}"
    if number < 0 or number > 255:
        return f"{quoted(cell)} is {'below 0' if number < 0 else 'above 255'}. {PIXEL_CURE}"
    return None if text.isdecimal() else f"{quoted(cell)} is not written as a whole number. {PIXEL_CURE}"


def images_of(table: Any, columns: Columns) -> np.ndarray:
    """Returns the pixel columns as (rows, side, side) uint8.

    Args:
        table: pyarrow table whose pixel columns are uint8 without nulls.
        columns: Its checked columns.
    """
    flat = np.empty((table.num_rows, len(columns.pixels)), np.uint8)
    start = 0
    for batch in table.select(columns.pixels).to_batches(max_chunksize=_GATHER_ROWS):
        for position, column in enumerate(batch.columns):
            flat[start : start + batch.num_rows, position] = column.to_numpy()
        start += batch.num_rows
    return flat.reshape(-1, columns.side, columns.side)


def _refuse_missing_header(path: str, names: list[str]) -> None:
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise UserError(f"{path}: the columns are not separated by commas. Write the file again with commas.")
    any_known = any(name == LABEL or name.startswith("pixel") for name in names)
    if not any_known and any(_is_number(name) for name in names):
        raise UserError(
            f"{path}: the header is missing; the columns' names would be {quoted(','.join(names[:8]))}. "
            f"Name the columns {LAYOUT} (in CSV: as the first line)."
        )


def _refuse_repeated(path: str, names: list[str]) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if name in seen:
            raise UserError(
                f"{path}: column {position} is {quoted(name)} for the second time. "
                f"Name the columns {LAYOUT}, each once."
            )
        seen.add(name)


def _refuse_unexpected(path: str, names: list[str]) -> None:
    pixel = 0
    for position, name in enumerate(names, start=1):
        if name == LABEL:
            continue
        if name != f"pixel{pixel}":
            raise UserError(
                f"{path}: column {position} is {quoted(name)} where 'pixel{pixel}' is expected. "
                f"Name and order the columns {LAYOUT}, with none beside them{_index_hint(name)}."
            )
        pixel += 1


def _index_hint(name: str) -> str:
    written_by_pandas = name in ("", "Unnamed: 0") or name.startswith("__index_level_")
    return " (pandas writes its index as one more column: pass index=False)" if written_by_pandas else ""


def _side(path: str, pixels: int) -> int:
    side = math.isqrt(pixels)
    if pixels == 0 or side * side != pixels:
        raise UserError(
            f"{path}: {pixels} pixel columns make no square image (28 × 28 has 784). "
            "Write every pixel of each image, or an .npz with an array 'images' (rows, height, width)."
        )
    return side


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
