"""Parquet with the same columns as Kaggle's CSV."""

from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line
from digits_ray.data.labels import checked_texts
from digits_ray.data.readers.columns import LABEL, check_columns, images_of, pixel_fault
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError

_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # what pyarrow was seen to raise for changed bytes


def is_parquet(source: Source) -> bool:
    """Returns whether the file begins as Parquet's magic bytes."""
    return not source.is_folder and source.head.startswith(b"PAR1")


def parse_parquet(source: Source, labelled: bool, settings: DataConfig) -> ParsedFile:
    """Reads a Parquet table.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: Naming the row and the column at fault.
    """
    path, content = source.name, source.content
    file, names = _opened(path, content)
    columns = check_columns(path, names, labelled)
    table = _table(path, file, [name for name in names if labelled or name.strip() != LABEL])
    pixels = pa.table({name: _as_uint8(path, name, table[name]) for name in columns.pixels})
    images = images_of(pixels, columns)
    if not labelled:
        return ParsedFile(images, columns.has_label)
    labels = table[LABEL].combine_chunks()
    return ParsedFile(images, columns.has_label, checked_texts(path, f"column {LABEL}", labels))


def _opened(path: str, content: bytes) -> tuple[Any, list[str]]:
    """The file, and its columns' names."""
    import pyarrow.parquet  # here: slow to import, and few files need it

    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        return file, file.schema_arrow.names
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _table(path: str, file: Any, names: list[str]) -> Any:
    try:
        table = file.read(columns=names)
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    return table.rename_columns([name.strip() for name in table.column_names])


def _damaged(path: str, error: Exception) -> UserError:
    return UserError(f"{path}: is not a complete Parquet file ({one_line(error)}). Write or download it again.")


def _as_uint8(path: str, name: str, column: Any) -> Any:
    if not pa.types.is_integer(column.type):
        raise UserError(
            f"{path}: column {name} is of type {column.type}. Write pixels as whole numbers from 0 to 255 (uint8)."
        )
    if column.null_count:
        raise _bad_pixel(path, name, column.is_null(), column)
    try:
        return column.cast(pa.uint8())
    except pa.ArrowInvalid:
        values = column.to_numpy()
        raise _bad_pixel(path, name, (values < 0) | (values > 255), column) from None


def _bad_pixel(path: str, name: str, bad: Any, column: Any) -> UserError:
    row = int(np.asarray(bad).argmax())
    value = column[row].as_py()
    return UserError(f"{path}: row {row + 1}, column {name}: {pixel_fault('' if value is None else str(value))}")
