"""Parquet with a picture in each row, as Hugging Face writes it: a column of bytes and paths, and the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.labels import checked_texts, labels_to_score
from digits_ray.data.readers.columns import is_id_name, is_label_name
from digits_ray.data.readers.decode import Picture, decode_pictures
from digits_ray.data.readers.parquet import is_parquet
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.picture import is_picture
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source, refuse_bomb
from digits_ray.errors import UserError

_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # what pyarrow was seen to raise for changed bytes
_BYTES = "bytes"  # the field of the struct that Hugging Face writes; the other one is "path"


@dataclass(frozen=True)
class _Columns:
    """The names of the columns."""

    picture: str
    label: str | None
    id: str | None
    groups: str | None
    others: tuple[str, ...]


def is_parquet_of_pictures(source: Source) -> bool:
    """Returns whether the file is Parquet with a column of bytes, or of bytes and paths."""
    if not is_parquet(source):
        return False
    try:
        return bool(_picture_columns(_opened(source)))
    except (UserError, *_DAMAGE):  # reported when it is read as any other table
        return False


def parse_parquet_of_pictures(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads a Parquet table of pictures.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: `size` and `grayscale` convert; `label`, `id` and `groups` name columns, `drop` those to leave out.

    Raises:
        UserError: Naming the row at fault.
        RunError: A process was ended from outside.
    """
    file = _opened(source)
    columns = _assigned(source, file, labelled, settings)
    id_column, label, groups = None if labelled else columns.id, columns.label, columns.groups if labelled else None
    table = _table(source, file, [name for name in (columns.picture, label, id_column, groups) if name])

    def checked(name: str | None, what: str) -> Any:
        return checked_texts(source.name, f"column {name}", table[name].combine_chunks(), what) if name else None

    if labelled or label is None:
        labels, label_notes = checked(label, "label"), tuple[str, ...]()
    else:
        labels, label_notes = labels_to_score(source.name, f"column {label}", table[label].combine_chunks())
    return ParsedFile(
        images=_images(source, columns.picture, table[columns.picture], settings),
        has_labels=columns.label is not None,
        label_texts=labels,
        ids=checked(id_column, "id"),
        id_column=id_column,
        groups=checked(groups, "group"),
        notes=_notes(columns) + label_notes,
    )


def _opened(source: Source) -> Any:
    from pyarrow import parquet  # here: slow to import, and few files need it

    try:
        return parquet.ParquetFile(pa.BufferReader(source.content), page_checksum_verification=True)
    except _DAMAGE as error:
        raise _damaged(source, error) from None


def _table(source: Source, file: Any, names: Sequence[str]) -> Any:
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    size = sum(group.column(column).total_uncompressed_size for group in groups for column in range(group.num_columns))
    refuse_bomb(source.name, len(source.content), size)
    try:
        return file.read(columns=names)
    except _DAMAGE as error:
        raise _damaged(source, error) from None


def _damaged(source: Source, error: Exception) -> UserError:
    return UserError(f"{source.name}: is not a complete Parquet file ({one_line(error)}). Write or download it again.")


def _picture_columns(file: Any) -> list[str]:
    return [
        field.name
        for field in file.schema_arrow
        if _has_bytes(field.type) or (_is_binary(field.type) and _begins_with_picture(file, field.name))
    ]


def _begins_with_picture(file: Any, name: str) -> bool:
    """Whether a column's first value is a picture; other columns of bytes are text that its writer did not mark."""
    batch = next(file.iter_batches(batch_size=1, columns=[name]), None)
    value = batch.column(0)[0].as_py() if batch is not None else None
    return value is not None and is_picture(value)


def _is_binary(kind: Any) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _has_bytes(kind: Any) -> bool:
    fields = [kind.field(number) for number in range(kind.num_fields)] if pa.types.is_struct(kind) else []
    return any(field.name == _BYTES and _is_binary(field.type) for field in fields)


def _assigned(source: Source, file: Any, labelled: bool, settings: ReadSettings) -> _Columns:
    every = [name for name in file.schema_arrow.names if name not in settings.drop]
    groups = _groups_column(source, every, labelled, settings)
    names = [name for name in every if name != groups]
    label = _column(source, names, settings.label, labelled, "label")
    may_be_id = names if labelled else every  # groups of pictures to label are not read
    row_id = _column(source, [name for name in may_be_id if name != label], settings.id, not labelled, "id")
    pictures = [name for name in _picture_columns(file) if name in names and name not in (label, row_id)]
    if len(pictures) != 1:
        raise UserError(
            f"{source.name}: {len(pictures)} columns of pictures ({_listed(pictures or names)}). Leave out all "
            f"others by --set 'data.drop=[{(pictures or names)[-1]}]'."
        )
    if labelled and label is None:
        raise UserError(
            f"{source.name}: no column 'label' (nor class, target, y), but {_listed(names)}. Name it by data.label."
        )
    others = tuple(name for name in names if name not in (*pictures, label, row_id))
    return _Columns(pictures[0], label, row_id, groups, others)


def _groups_column(source: Source, names: list[str], labelled: bool, settings: ReadSettings) -> str | None:
    """The name of the column of groups, which files of pictures to label need not have."""
    if settings.groups is None or (settings.groups not in names and not labelled):
        return None
    if settings.groups not in names or settings.groups == settings.label:
        raise UserError(
            f"{source.name}: split.groups: no column {quoted(settings.groups)} beside the label, but {_listed(names)}. "
            "Name one of these."
        )
    return settings.groups


def _column(source: Source, names: list[str], given: str | None, required: bool, setting: str) -> str | None:
    """The name of the label's or ids' column: as the setting says, or the first that has a usual name."""
    if given is None:
        is_known = is_label_name if setting == "label" else is_id_name
        return next(filter(is_known, names), None)
    if required and given not in names:
        raise UserError(
            f"{source.name}: data.{setting}: no column {quoted(given)}, but {_listed(names)}. Name one of these."
        )
    return given if given in names else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _images(source: Source, name: str, column: Any, settings: DataConfig) -> np.ndarray:
    if len(column) == 0:
        return np.empty((0, 1, 1), np.uint8)
    packed = pc.struct_field(column, _BYTES) if pa.types.is_struct(column.type) else column
    if packed.null_count:
        row = int(np.asarray(packed.is_null()).argmax())
        raise UserError(
            f"{source.name}: row {row + 1}, column {name}: no bytes of a picture; paths are not followed. Write the "
            "pictures themselves into the file."
        )
    contents = packed.to_pylist()
    pictures = [Picture(f"{source.name}: row {row}, column {name}", bytes_) for row, bytes_ in enumerate(contents, 1)]
    return decode_pictures(pictures, settings, source.on_progress)


def _notes(columns: _Columns) -> tuple[str, ...]:
    notes = []
    if columns.label not in (None, "label"):
        notes.append(f"column {quoted(columns.label)} is the label")
    if columns.others:
        notes.append(f"not read: column{'s' if len(columns.others) > 1 else ''} {_listed(columns.others)}")
    return tuple(notes)
