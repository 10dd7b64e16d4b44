"""Kaggle's CSV layout, plain or gzip-compressed, straight into uint8."""

import csv
import re
from typing import Any

import pyarrow as pa
import pyarrow.csv

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line
from digits_ray.data.labels import first_blank
from digits_ray.data.readers.columns import LABEL, LAYOUT, Columns, check_columns, images_of
from digits_ray.data.readers.csv_diagnosis import diagnose_csv
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError

# 42,000 × 785 on 2 cores: 0.6 s with 4 to 16 MiB, up to 1.2 s with pyarrow's default of 1 MiB.
_BLOCK_BYTES = 8 << 20
_LINE_END = re.compile(rb"[\r\n]")
_BLANK_TO_THE_END = re.compile(rb"\s*\Z")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_csv(source: Source) -> bool:
    """Returns whether the file begins with text."""
    return not source.is_folder and b"," in source.head and b"\0" not in source.head


def parse_csv(source: Source, labelled: bool, settings: DataConfig) -> ParsedFile:
    """Reads CSV text.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: Naming the row, its line and the column at fault.
    """
    path = source.name
    text = _plain_text(path, source.content)
    header_end = _line_end(text)
    columns = check_columns(path, _header_names(path, text[:header_end]), labelled)
    if _BLANK_TO_THE_END.match(text, header_end):
        raise UserError(f"{path}: holds no rows. Use a file with images in it.")
    try:
        table = _parse(text, header_end, columns, labelled)
        labels = _labels(table) if labelled else None
    except pa.ArrowInvalid as error:
        raise diagnose_csv(path, text, columns, labelled, error) from None
    return ParsedFile(images_of(table, columns), columns.has_label, labels)


def _plain_text(path: str, text: bytes) -> bytes:
    """Returns the text without byte order mark; what is no CSV by its first bytes is refused."""
    if text.startswith(b"PK\x03\x04"):
        raise UserError(f"{path}: is a zip archive, whatever its name says. Unzip it first.")
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if not text or text.isspace():
        raise UserError(f"{path}: the file is empty. Download or write it again, with the header {LAYOUT}.")
    return text


def _labels(table: Any) -> Any:
    labels = table[LABEL].combine_chunks()
    if first_blank(labels) is not None:
        raise pa.ArrowInvalid("a label is empty")  # so that the diagnosis finds its row, as for a pixel
    return labels


def _line_end(text: bytes) -> int:
    """Returns the position where the first line ends, by LF, CRLF or CR."""
    line_end = _LINE_END.search(text)
    return line_end.start() if line_end else len(text)


def _header_names(path: str, header: bytes) -> list[str]:
    try:
        names = next(csv.reader([header.decode("utf-8")], strict=True), [])
    except UnicodeDecodeError:
        raise UserError(f"{path}: line 1 is no UTF-8 text. Save the file as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path}: line 1 is no header ({one_line(error)}). Begin the file with {LAYOUT}.") from None
    if not names:
        raise UserError(f"{path}: line 1 is empty. Begin the file with its header, {LAYOUT}.")
    return names


def _parse(text: bytes, header_end: int, columns: Columns, labelled: bool) -> Any:
    """Returns the columns that are read as a pyarrow table: pixels uint8, label string, no nulls."""
    types = {name: pa.uint8() for name in columns.pixels} | ({LABEL: pa.string()} if labelled else {})
    table = pyarrow.csv.read_csv(
        pa.BufferReader(pa.py_buffer(text).slice(header_end)),
        read_options=pyarrow.csv.ReadOptions(column_names=list(columns.names), block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=b'"' in text),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[]),
    )
    # pyarrow silently ignores types for names that it does not meet, and would give int64 or text instead.
    if table.schema.types != list(types.values()):
        raise RuntimeError(f"{table.schema.types[:3]}… instead of uint8 from pyarrow {pa.__version__}")
    return table
