"""Diagnoses a CSV file that the fast reader refused, slowly: which row, line and column is at fault."""

import csv
import io
import math

from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.readers.columns import Columns
from digits_ray.data.readers.csv_header import Header
from digits_ray.data.readers.pixels import PIXEL_CURE
from digits_ray.errors import UserError

_PIXEL_TEXTS = frozenset(str(value) for value in range(256))


def diagnose_csv(
    path: str, text: bytes, header: Header, columns: Columns, labelled: bool, refusal: Exception
) -> UserError:
    """Finds the first fault in reading order.

    Args:
        path: For the message.
        text: The file's text with its header, without byte order mark.
        header: Its first line.
        columns: What each column is.
        labelled: Whether labels matter.
        refusal: What the fast reader said, for the case that nothing is found here.

    Returns:
        The error to raise; its row counts from 1 after the header, blank lines not counted.
    """
    try:
        # Fractions are a fault only beside whole pixels, so what is wrong in either case is looked for first.
        for whole in (False, True):
            if fault := _first_fault(text, header, columns, labelled, whole):
                return UserError(f"{path}: {fault}")
    except UnicodeDecodeError as error:
        line = len((text[: error.start] + b".").splitlines())
        return UserError(f"{path}: line {line} is no UTF-8 text. Save the file as CSV in UTF-8.")
    except csv.Error as error:
        refusal = error
    return UserError(f"{path}: is no readable CSV ({one_line(refusal)}). Write it again, with commas, in UTF-8.")


def pixel_fault(cell: str, whole: bool) -> str | None:
    """Returns what is wrong with a pixel's text, with the cure; None when nothing is.

    Args:
        cell: The text.
        whole: Whether fractions are a fault, because other pixels are above 1.
    """
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
    if whole and not number.is_integer():
        return f"{quoted(cell)} is not whole, but other pixels are above 1. {PIXEL_CURE}"
    return None


def _first_fault(text: bytes, header: Header, columns: Columns, labelled: bool, whole: bool) -> str | None:
    reader = csv.reader(io.StringIO(text.decode("utf-8"), newline=""))
    if header.end:
        next(reader)
    row, line = 0, reader.line_num + 1
    for cells in reader:
        row += bool(cells)
        fault = _row_fault(cells, header, columns, labelled, whole) if cells else None
        if fault is not None:
            return f"row {row} (line {line}){fault}"
        line = reader.line_num + 1
    return None


def _row_fault(cells: list[str], header: Header, columns: Columns, labelled: bool, whole: bool) -> str | None:
    names = columns.names
    if len(cells) != len(names):
        first = "the header" if header.has_names else "the first row"
        count = f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"
        return f": {count} where {first} has {len(names)} columns. Complete the row or drop it."
    if labelled and columns.label is not None and not cells[columns.label].strip():
        return f", column {names[columns.label]}: the label is empty. Fill it in or drop the row."
    if not labelled and columns.id is not None and not cells[columns.id].strip():
        return f", column {names[columns.id]}: the id is empty. Fill it in or drop the row."
    for position in columns.pixels:
        cell = cells[position]
        if cell not in _PIXEL_TEXTS and (fault := pixel_fault(cell, whole)):
            return f", column {names[position]}: {fault}"
    return None
