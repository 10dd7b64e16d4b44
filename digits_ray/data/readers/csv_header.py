"""The names of a CSV file's columns, and where its rows begin; some files have no names."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.readers.column_faults import LAYOUT
from digits_ray.data.readers.columns import is_id_name, is_label_name
from digits_ray.errors import UserError

_LINE_END = re.compile(rb"[\r\n]")
_NEXT_LINE = re.compile(rb"[^\r\n]+")
_OTHER_SEPARATOR = re.compile(r"[;\t]")  # then commas in a row may be those of decimal fractions


@dataclass(frozen=True)
class Header:
    """What the first line tells."""

    names: tuple[str, ...]  # in a file without names, numbers from 1; "" for columns that have none
    has_names: bool
    end: int  # position in the text where the rows begin, or the line end before them; 0: line 1 is a row
    notes: tuple[str, ...] = ()  # what was assumed


def read_header(path: str, text: bytes) -> Header:
    """Reads the first line, which holds names, or numbers alone where the file has none.

    Raises:
        UserError: It cannot be read as cells.
    """
    line_end = _LINE_END.search(text)
    end = line_end.start() if line_end else len(text)
    names = _cells(path, text[:end])
    if not names:
        raise UserError(f"{path}: line 1 is empty. Begin the file with its header, {LAYOUT}.")
    numbered = tuple(str(number) if name.strip() else "" for number, name in enumerate(names, start=1))
    if _is_renamed_row(names):
        note = "line 1 is a row whose repeated numbers pandas renamed; it is not read"
        return Header(numbered, has_names=False, end=end, notes=(note,))
    if _is_first_row(names):
        return Header(numbered, has_names=False, end=0)
    row = _next_row(text, end)
    _refuse_title(path, names, row)
    return Header(_fitted(names, row), has_names=True, end=end)


def _cells(path: str, line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except UnicodeDecodeError:
        raise UserError(f"{path}: line 1 is no UTF-8 text. Save the file as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path}: line 1 is no header ({one_line(error)}). Begin the file with {LAYOUT}.") from None


def _is_first_row(names: Sequence[str]) -> bool:
    """Whether a line holds an image, perhaps behind its label, and no names; pixels may be named 0, 1, 2, …"""
    first, *others = [name.strip() for name in names]
    while others and not others[-1]:
        others.pop()
    if not others or not all(map(_is_number, others)):
        return False
    if not first or is_label_name(first) or is_id_name(first):
        return False
    return not _count_up([first, *others] if _is_number(first) else others)


def _is_renamed_row(names: Sequence[str]) -> bool:
    """Whether a line holds 0, 0.1, 0.2, …: pandas took a row for names, and told equal numbers apart by a count."""
    seen: Counter[str] = Counter()
    renamed = 0
    for name in names:
        number, dot, count = name.strip().partition(".")
        if not number.isdecimal() or (dot and count != str(seen[number])):
            return False
        renamed += bool(dot)
        seen[number] += 1
    return renamed > len(names) // 2  # else pixels may be named 0, 1, 2, …


def _count_up(names: Sequence[str]) -> bool:
    return all(float(after) == float(before) + 1 for before, after in pairwise(names))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _next_row(text: bytes, end: int) -> list[str]:
    """Returns the cells of the line after the first, none where it is the last."""
    row = _NEXT_LINE.search(text, end)
    return next(csv.reader([row[0].decode("utf-8", errors="replace")]), []) if row else []


def _refuse_title(path: str, names: list[str], row: list[str]) -> None:
    """Refuses a line above the header: a title, a comment, or the `sep=,` that Excel writes."""
    written = [name for name in names if name.strip()]
    if len(written) == 1 and len(row) > 2 and not _OTHER_SEPARATOR.search(written[0]):
        raise UserError(
            f"{path}: line 1 is {quoted(written[0])} alone, above {len(row)} columns. Begin the file with its header, "
            f"{LAYOUT}."
        )


def _fitted(names: list[str], cells: list[str]) -> tuple[str, ...]:
    """Returns the names with as many empty ones at the end as rows end in commas: writers add those to either."""
    if len(cells) == len(names) + 1 and not cells[-1].strip():
        return (*names, "")
    if len(cells) == len(names) - 1 and not names[-1].strip():
        return tuple(names[:-1])
    return tuple(names)
