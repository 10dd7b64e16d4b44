"""A folder of Parquet parts, as Spark, Dask and Hugging Face write large tables."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.error_text import quoted
from digits_ray.data.readers.folder_listing import list_folder, natural_order, path_inside
from digits_ray.data.readers.parquet import parse_parquet
from digits_ray.data.readers.parquet_images import is_parquet_of_pictures, parse_parquet_of_pictures
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError
from digits_ray.storage import Store

_EXTENSION = ".parquet"
_PURPOSE = re.compile(r"(train|test|val|valid|validation|dev)(?![a-z])", re.IGNORECASE)


def is_folder_of_parquet(source: Source) -> bool:
    """Returns whether Parquet files lie in a folder."""
    if source.is_folder:
        return bool(_part_names(source))
    last = source.lower_name.rstrip("/").rpartition("/")[2]
    may_be_folder = source.is_remote and ("." not in last or last.endswith(_EXTENSION))  # others cost no request
    return may_be_folder and any(name.lower().endswith(_EXTENSION) for name in Store.at(source.name).names())


def parse_folder_of_parquet(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads all parts as if they were a single table, in the natural order of their names.

    Args:
        source: The folder.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: A part is not as it should be, or unlike the first.
        RunError: Remote storage does not answer.
    """
    names = _part_names(source)
    _refuse_several_purposes(source, names)
    parts: list[tuple[str, ParsedFile]] = []
    for name in names:
        path = path_inside(source, name)
        parsed = _parsed(Source(path, source.on_progress), labelled, settings)
        if len(parsed.images):  # Spark writes empty parts
            _refuse_other_layout(path, parsed, parts)
            parts.append((path, parsed))
    if not parts:
        raise UserError(f"{source.name}: its parts hold no rows. Use a folder with images in it.")
    return _joined([parsed for _, parsed in parts])


def _part_names(source: Source) -> list[str]:
    """Names that begin with _ or a dot belong to the writers."""
    listing = list_folder(source)
    names = [name for name in listing.top.others if name.lower().endswith(_EXTENSION) and not name.startswith("_")]
    return sorted(names, key=natural_order)


def _refuse_several_purposes(source: Source, names: list[str]) -> None:
    matches = [(name, match[1].lower()) for name in names if (match := _PURPOSE.match(name))]
    if len({purpose for _, purpose in matches}) > 1:
        other = next(name for name, purpose in matches if purpose != matches[0][1])
        raise UserError(
            f"{source.name}: holds parts for several purposes, {quoted(matches[0][0])} and {quoted(other)}. Name the "
            "file that is meant, or put each purpose's parts in a folder of its own."
        )


def _parsed(part: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    parse = parse_parquet_of_pictures if is_parquet_of_pictures(part) else parse_parquet
    return parse(part, labelled, settings)


def _refuse_other_layout(path: str, part: ParsedFile, parts: list[tuple[str, ParsedFile]]) -> None:
    if not parts:
        return
    first_path, first = parts[0]
    for what, its, firsts in (
        ("images of shape", part.images.shape[1:], first.images.shape[1:]),
        ("pixels up to", part.pixel_scale, first.pixel_scale),
        ("ids named", part.id_column, first.id_column),
    ):
        if its != firsts:
            raise UserError(f"{path}: {what} {its}, but {first_path} has {firsts}. Write all parts in the same form.")


def _joined(parts: list[ParsedFile]) -> ParsedFile:
    return replace(
        parts[0],
        images=np.concatenate([part.images for part in parts]),
        has_labels=all(part.has_labels for part in parts),
        label_texts=_concatenated([_label_texts(part) for part in parts]),
        ids=_concatenated([part.ids for part in parts]),
        groups=_concatenated([part.groups for part in parts]),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _label_texts(part: ParsedFile) -> Any:
    """Returns the labels of a part; all missing where those of a part to label could not be read."""
    if part.label_texts is None and part.has_labels:
        return pa.nulls(len(part.images), pa.string())
    return part.label_texts


def _concatenated(arrays: list[Any]) -> Any:
    return None if any(array is None for array in arrays) else pa.concat_arrays(arrays)
