"""Diagnoses a CSV file that the fast reader refused, slowly: which row, line and column is at fault."""

import csv
import io

from digits_ray.data.error_text import one_line
from digits_ray.data.readers.columns import LABEL, Columns, pixel_fault
from digits_ray.errors import UserError

_PIXEL_TEXTS = frozenset(str(value) for value in range(256))


def diagnose_csv(path: str, text: bytes, columns: Columns, labelled: bool, refusal: Exception) -> UserError:
    """Finds the first fault in reading order.

    Args:
        path: For the message.
        text: The file's text with its header, without byte order mark.
        columns: The checked header.
        labelled: Whether labels matter.
        refusal: What the fast reader said, for the case that nothing is found here.

    Returns:
        The error to raise; its row counts from 1 after the header, blank lines not counted.
    """
    try:
        fault = _first_fault(text, columns, labelled)
    except UnicodeDecodeError as error:
        line = len((text[: error.start] + b".").splitlines())
        return UserError(f"{path}: line {line} is no UTF-8 text. Save the file as CSV in UTF-8.")
    except csv.Error as error:
        fault, refusal = None, error
    if fault is not None:
        return UserError(f"{path}: {fault}")
    return UserError(f"{path}: is no readable CSV ({one_line(refusal)}). Write it again, with commas, in UTF-8.")


def _first_fault(text: bytes, columns: Columns, labelled: bool) -> str | None:
    reader = csv.reader(io.StringIO(text.decode("utf-8"), newline=""))
    next(reader)
    row, line = 0, reader.line_num + 1
    for cells in reader:
        row += bool(cells)
        fault = _row_fault(cells, columns, labelled) if cells else None
        if fault is not None:
            return f"row {row} (line {line}){fault}"
        line = reader.line_num + 1
    return None


def _row_fault(cells: list[str], columns: Columns, labelled: bool) -> str | None:
    if len(cells) != len(columns.names):
        count = f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"
        return f": {count} where the header has {len(columns.names)} columns. Complete the row or drop it."
    if labelled and not cells[columns.names.index(LABEL)].strip():
        return ", column label: the label is empty. Fill it in or drop the row."
    for name, cell in zip(columns.names, cells, strict=True):
        if name != LABEL and cell not in _PIXEL_TEXTS and (fault := pixel_fault(cell)):
            return f", column {name}: {fault}"
    return None
