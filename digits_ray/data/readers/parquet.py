"""Parquet with the same columns as CSV."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from digits_ray.data.error_text import one_line
from digits_ray.data.labels import checked_texts, labels_to_score
from digits_ray.data.readers.columns import Columns, assign_columns, images_of, unnamed_note
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.pixels import PIXEL_CURE, BadPixelError, Pixels, bytes_of
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source, refuse_bomb
from digits_ray.errors import UserError

_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # what pyarrow was seen to raise for changed bytes


def is_parquet(source: Source) -> bool:
    """Returns whether the file begins as Parquet's magic bytes."""
    return not source.is_folder and source.head.startswith(b"PAR1")


def parse_parquet(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads a Parquet table.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: Naming the row and the column at fault.
    """
    path = source.name
    file = _opened(path, source.content)
    names = file.schema_arrow.names
    if len(set(names)) < len(names):
        raise UserError(f"{path}: several columns have the same name. Name each column differently.")
    columns = assign_columns(path, names, labelled, settings)
    refuse_bomb(path, len(source.content), file.metadata.num_rows * len(columns.pixels))
    texts = [columns.label, None if labelled else columns.id, *columns.unnamed, columns.groups if labelled else None]
    table = _table(path, file, [names[p] for p in (*columns.pixels, *texts) if p is not None])
    pixels = _pixels(path, table.select([names[p] for p in columns.pixels]), columns)
    cells = _TextColumns(path, names, columns, table)
    labels, label_notes = cells.labels(labelled)
    unnamed = [unnamed_note(path, columns, p, table[names[p]].cast(pa.string())) for p in columns.unnamed]
    return ParsedFile(
        images=pixels.values,
        has_labels=columns.label is not None,
        label_texts=labels,
        ids=None if labelled else cells.checked(columns.id, "id"),
        id_column=columns.names[columns.id] if columns.id is not None and not labelled else None,
        notes=(*columns.notes, *unnamed, *pixels.notes, *label_notes),
        pixel_scale=pixels.scale,
        groups=cells.checked(columns.groups, "group") if labelled else None,
    )


@dataclass(frozen=True)
class _TextColumns:
    """The columns of a table that are no pixels, by their position among the file's."""

    path: str
    names: list[str]  # as the file has them; those of `columns` are without blanks around them
    columns: Columns
    table: Any  # pyarrow.Table, of the columns that are read

    def labels(self, labelled: bool) -> tuple[Any, tuple[str, ...]]:
        """Returns the labels as text, None without any, and notes; those of rows to label are no error."""
        position = self.columns.label
        if labelled or position is None:
            return self.checked(position, "label"), ()
        return labels_to_score(self.path, self._name(position), self._values(position))

    def checked(self, position: int | None, what: str) -> Any:
        """Returns a column as text, none of it missing; None without the column."""
        if position is None:
            return None
        return checked_texts(self.path, self._name(position), self._values(position), what)

    def _name(self, position: int) -> str:
        return f"column {self.columns.names[position]}"

    def _values(self, position: int) -> Any:
        return self.table[self.names[position]].combine_chunks()


def _opened(path: str, content: bytes) -> Any:
    import pyarrow.parquet  # here: slow to import, and few files need it

    try:
        return pyarrow.parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _table(path: str, file: Any, names: list[str]) -> Any:
    try:
        return file.read(columns=names)
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _damaged(path: str, error: Exception) -> UserError:
    return UserError(f"{path}: is not a complete Parquet file ({one_line(error)}). Write or download it again.")


def _pixels(path: str, table: Any, columns: Columns) -> Pixels:
    """Returns the images of the pixel columns, whole numbers as they are, other numbers as `bytes_of` reads them."""
    checked = [_checked_column(path, name, table[name]) for name in table.column_names]
    if all(pa.types.is_integer(column.type) for column in checked):
        named = zip(table.column_names, checked, strict=True)
        columns_of_bytes = [_as_uint8(path, name, column) for name, column in named]
        return Pixels(images_of(pa.table(columns_of_bytes, names=table.column_names), columns.shape))
    floats = pa.table([column.cast(pa.float64()).cast(pa.float32()) for column in checked], names=table.column_names)
    try:
        flat = bytes_of(images_of(floats, (len(checked),)))
    except BadPixelError as error:
        row, position = error.index
        name = table.column_names[position].strip()
        raise UserError(f"{path}: row {row + 1}, column {name}: {error.fault}") from None
    return Pixels(flat.values.reshape(-1, *columns.shape), flat.scale, flat.notes)


def _checked_column(path: str, name: str, column: Any) -> Any:
    """Returns a column of numbers, none of them missing."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise UserError(f"{path}: column {name} is of type {column.type}. Write pixels as numbers (uint8).")
    if column.null_count:
        row = int(np.asarray(column.is_null()).argmax())
        raise UserError(f"{path}: row {row + 1}, column {name}: the cell is empty. Fill it in or drop the row.")
    return column.cast(kind)


def _as_uint8(path: str, name: str, column: Any) -> Any:
    try:
        return column.cast(pa.uint8())
    except pa.ArrowInvalid:
        bad = pc.or_(pc.less(column, 0), pc.greater(column, 255))
        row = int(np.asarray(bad).argmax())
        value = column[row].as_py()
        words = "below 0" if value < 0 else "above 255"
        raise UserError(f"{path}: row {row + 1}, column {name}: '{value}' is {words}. {PIXEL_CURE}") from None
