"""CSV, straight into uint8 where pixels are written as whole numbers."""

import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.csv

from digits_ray.data.labels import checked_texts, first_blank, labels_to_score
from digits_ray.data.readers.column_faults import LAYOUT
from digits_ray.data.readers.columns import Columns, assign_columns, images_of, unnamed_note
from digits_ray.data.readers.csv_diagnosis import diagnose_csv
from digits_ray.data.readers.csv_header import Header, read_header
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.pixels import BadPixelError, Pixels, bytes_of
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source
from digits_ray.data.readers.unread import unread_format
from digits_ray.encoding import in_utf8, utf_encoding
from digits_ray.errors import UserError

# 42,000 × 785 on 2 cores: 0.6 s with 4 to 16 MiB, up to 1.2 s with pyarrow's default of 1 MiB.
_BLOCK_BYTES = 8 << 20
_BLANK_TO_THE_END = re.compile(rb"\s*\Z")
_HEAD_BYTES = 1 << 16


def is_csv(source: Source) -> bool:
    """Returns whether the file begins with text in columns."""
    if source.is_folder:
        return False
    head = source.head.decode(utf_encoding(source.head), errors="replace")
    return "," in head and "\0" not in head


def parse_csv(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads CSV text.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: Naming the row, its line and the column at fault.
    """
    path = source.name
    if fault := unread_format(source):  # whatever its name says
        raise UserError(f"{path}: {fault}")
    text = _plain_text(path, source.content)
    header = read_header(path, text)
    columns = assign_columns(path, header.names, labelled, settings, has_names=header.has_names)
    if _BLANK_TO_THE_END.match(text, header.end):
        raise UserError(f"{path}: holds no rows. Use a file with images in it.")
    try:
        table, pixels = _read(text, header, columns, labelled)
    except (pa.ArrowInvalid, BadPixelError) as error:
        raise diagnose_csv(path, text, header, columns, labelled, error) from None
    ids = None if labelled else _texts(path, table, columns, columns.id, "id")
    labels, label_notes = _labels(path, table, columns, labelled)
    return ParsedFile(
        images=pixels.values,
        has_labels=columns.label is not None,
        label_texts=labels,
        ids=ids,
        id_column=columns.names[columns.id] if columns.id is not None and ids is not None else None,
        notes=(*header.notes, *columns.notes, *_unnamed_notes(path, table, columns), *pixels.notes, *label_notes),
        pixel_scale=pixels.scale,
        groups=_texts(path, table, columns, columns.groups, "group") if labelled else None,
    )


def _plain_text(path: str, content: bytes) -> bytes:
    """Returns the text in UTF-8 without byte order mark; what is no CSV by its first bytes is refused."""
    try:
        text = in_utf8(content)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no valid {error.encoding.upper()}. Save the file as CSV in UTF-8.") from None
    if (position := text.find(b"\0", 0, _HEAD_BYTES)) >= 0:
        line = len((text[:position] + b".").splitlines())
        raise UserError(f"{path}: line {line} is no text: it holds a zero byte. Save the file as CSV in UTF-8.")
    if not text or text.isspace():
        raise UserError(f"{path}: the file is empty. Download or write it again, with the header {LAYOUT}.")
    return text


def _read(text: bytes, header: Header, columns: Columns, labelled: bool) -> tuple[Any, Pixels]:
    """Returns the columns of text, by their position, and the images.

    Raises:
        pa.ArrowInvalid, BadPixelError: A row or a cell is not as it should be.
    """
    needed, not_needed = (columns.label, columns.groups) if labelled else (columns.id, columns.label)
    texts = [needed, *columns.unnamed, not_needed]
    positions = [position for position in texts if position is not None]
    try:
        table = _parse(text, header, columns, positions, pa.uint8())
        pixels = Pixels(images_of(table.select(_names(columns.pixels)), columns.shape))
    except pa.ArrowInvalid:  # slower, and four times the memory
        table = _parse(text, header, columns, positions, pa.float32())
        pixels = bytes_of(images_of(table.select(_names(columns.pixels)), columns.shape))
    if positions and positions[0] == texts[0] and first_blank(table[str(positions[0])].combine_chunks()) is not None:
        raise pa.ArrowInvalid("a label or id is empty")  # so that the diagnosis finds its row, as for a pixel
    return table, pixels


def _parse(text: bytes, header: Header, columns: Columns, texts: list[int], pixel_type: Any) -> Any:
    """Returns the pixels and columns of text as a pyarrow table without nulls, named by their position."""
    types = {str(p): pixel_type for p in columns.pixels} | {str(p): pa.string() for p in texts}
    table = pyarrow.csv.read_csv(
        pa.BufferReader(pa.py_buffer(text).slice(header.end)),
        read_options=pyarrow.csv.ReadOptions(column_names=_names(range(len(columns.names))), block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=b'"' in text),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[]),
    )
    # pyarrow silently ignores types for names that it does not meet, and would give int64 or text instead.
    if table.schema.types != list(types.values()):
        raise RuntimeError(f"{table.schema.types[:3]}… instead of {pixel_type} from pyarrow {pa.__version__}")
    return table


def _names(positions: Iterable[int]) -> list[str]:
    return [str(position) for position in positions]


def _texts(path: str, table: Any, columns: Columns, position: int | None, what: str) -> Any:
    """Returns labels or ids, spelled as in any format; None where the table has none."""
    if position is None:
        return None
    return checked_texts(path, f"column {columns.names[position]}", table[str(position)].combine_chunks(), what)


def _labels(path: str, table: Any, columns: Columns, labelled: bool) -> tuple[Any, tuple[str, ...]]:
    """Returns the labels and notes on them; None where the table has none."""
    position = columns.label
    if labelled or position is None:
        return _texts(path, table, columns, position, "label"), ()
    return labels_to_score(path, f"column {columns.names[position]}", table[str(position)].combine_chunks())


def _unnamed_notes(path: str, table: Any, columns: Columns) -> list[str]:
    return [unnamed_note(path, columns, position, table[str(position)]) for position in columns.unnamed]
