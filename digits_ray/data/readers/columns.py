"""What each column of a table is, in CSV and Parquet: the label, an id, a pixel, or a mere count of the rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.data.error_text import quoted
from digits_ray.data.readers.column_faults import (
    listed,
    refuse_further,
    refuse_missing_label,
    refuse_no_pixels,
    refuse_repeated,
    refuse_separators,
)
from digits_ray.data.readers.image_shape import image_shape, square_shape
from digits_ray.data.readers.pixel_names import PixelColumns, find_pixels
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.errors import UserError

LABEL_NAMES = ("label", "labels", "class", "target", "y")  # in any case; the first that is there
ID_NAMES = (
    "id", "ids", "imageid", "rowid", "sampleid", "testid", "index", "key", "uuid", "filename", "file",
    "imagename", "name",
)  # fmt: skip  # in any case, without blanks and underlines; the first column that has one

_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?|__index_level_\d+__")  # in CSV, as pandas reads that, and in its Parquet
_GATHER_ROWS = 8192  # rows × 784 bytes stay in the processor's cache while 784 columns are interleaved


@dataclass(frozen=True)
class Columns:
    """A table's columns by their position, from 0."""

    names: tuple[str, ...]  # in the file's order; those without a name as pandas calls them, "Unnamed: 0"
    pixels: tuple[int, ...]
    label: int | None
    id: int | None
    unnamed: tuple[int, ...]  # to be checked by `unnamed_note`: they count rows or are empty, and are not read
    shape: tuple[int, ...]  # of an image: (height, width) or (height, width, 3)
    notes: tuple[str, ...] = ()
    groups: int | None = None


@dataclass(frozen=True)
class _Roles:
    """What the names alone tell."""

    label: int | None
    id: int | None
    groups: int | None
    unnamed: tuple[int, ...]
    others: tuple[int, ...]  # pixels and whatever else there is


def assign_columns(
    path: str, names: Sequence[str], labelled: bool, settings: ReadSettings, *, has_names: bool = True
) -> Columns:
    """Works out what each column is, by its name.

    Args:
        path: For messages.
        names: As the file has them; blanks around them do not count.
        labelled: Whether a label column is required.
        settings: `label`, `id`, `groups`, `drop` and `height` count.
        has_names: Whether the file has them; if not, they are numbers from 1.

    Raises:
        UserError: A column is none of these, or pixels are not in order or make no image.
    """
    names = _with_names(names)
    refuse_separators(path, names)
    refuse_repeated(path, names)
    roles = _roles(path, names, labelled, settings)
    pixels = find_pixels(path, names, roles.others)
    label, positions = roles.label, pixels.positions
    assumed = label is None and _begins_with_label(pixels, settings.height)
    if assumed:
        label, positions = positions[0], positions[1:]
    refuse_no_pixels(path, names, positions)
    further = sorted({*roles.others} - {label, *positions})
    refuse_further(path, names, further, labelled and label is None)
    refuse_missing_label(path, labelled, label)
    shape = image_shape(path, len(positions), pixels.size, settings.height)
    notes = _notes(names, label, roles.id if labelled else None, shape, assumed=assumed, has_names=has_names)
    return Columns(tuple(names), positions, label, roles.id, roles.unnamed, shape, notes, roles.groups)


def is_label_name(name: str) -> bool:
    """Returns whether a column of this name is the label where no setting says otherwise."""
    return name.lower() in LABEL_NAMES


def is_id_name(name: str) -> bool:
    """Returns whether a column of this name holds ids where no setting says otherwise."""
    return re.sub(r"[\s_-]", "", name.lower()) in ID_NAMES


def unnamed_note(path: str, columns: Columns, position: int, texts: Any) -> str:
    """Says what an unnamed column holds, which is not read: a count of the rows, or nothing.

    Args:
        path: For messages.
        columns: Of the table.
        position: The column's.
        texts: (rows,) pyarrow array of strings.

    Raises:
        UserError: It holds something else.
    """
    cells = [(text or "").strip() for text in texts.to_pylist()]
    if not any(cells):
        return f"column {position + 1} is empty and is not read"
    if all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells):
        return f"column {position + 1} has no name and numbers the rows; it is not read"
    name = columns.names[position]
    value = quoted(next(cell for cell in cells if cell))
    raise UserError(
        f"{path}: column {position + 1} has no name and holds {value}. "
        f"Leave it out by --set 'data.drop=[\"{name}\"]', or give it a name."
    )


def images_of(table: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the columns of a table without nulls as (rows, *shape), in the type that all columns have.

    Args:
        table: pyarrow table of the pixel columns alone.
        shape: Of an image.
    """
    flat = np.empty((table.num_rows, table.num_columns), table.schema.types[0].to_pandas_dtype())
    start = 0
    for batch in table.to_batches(max_chunksize=_GATHER_ROWS):
        for position, column in enumerate(batch.columns):
            flat[start : start + batch.num_rows, position] = column.to_numpy()
        start += batch.num_rows
    return flat.reshape(-1, *shape)


def _with_names(names: Sequence[str]) -> list[str]:
    """Returns names without blanks around them; columns without a name get one as pandas would give it."""
    given = {name.strip() for name in names}
    made = {p: f"Unnamed: {p}" for p, name in enumerate(names) if not name.strip()}
    return [f"{made[p]}.1" if made.get(p) in given else made.get(p, name.strip()) for p, name in enumerate(names)]


def _roles(path: str, names: list[str], labelled: bool, settings: ReadSettings) -> _Roles:
    missing = [name for name in settings.drop if name not in names]
    if missing and labelled:  # a test file need not have all that the training file has
        raise UserError(f"{path}: data.drop: no column {quoted(missing[0])}, but {listed(names)}. Name a column.")
    left = [position for position, name in enumerate(names) if name not in settings.drop]
    groups = _groups_position(path, names, labelled, settings)
    left = [position for position in left if position != groups]
    label = _position(path, names, left, "label", settings.label, labelled, _label_rank)
    left = [position for position in left if position != label]
    may_be_id = left if labelled or groups is None else [*left, groups]  # groups of images to label are not read
    row_id = _position(path, names, may_be_id, "id", settings.id, not labelled, _id_rank)
    left = [position for position in left if position != row_id]
    unnamed = [position for position in left if _UNNAMED.fullmatch(names[position])]
    return _Roles(label, row_id, groups, tuple(unnamed), tuple(p for p in left if p not in unnamed))


def _groups_position(path: str, names: list[str], labelled: bool, settings: ReadSettings) -> int | None:
    """Returns the position of the column of groups, which files of images to label need not have."""
    name = settings.groups
    if name is None:
        return None
    if name in settings.drop or name == settings.label:
        other = "drop" if name in settings.drop else "label"
        raise UserError(f"{path}: split.groups and data.{other} both name {quoted(name)}. Leave it out of either.")
    if name not in names and labelled:
        others = listed(sorted(names, key=lambda other: bool(re.search(r"\d", other))))  # pixels last
        raise UserError(f"{path}: split.groups: no column {quoted(name)}, but {others}. Name one of these.")
    labels = [other for other in names if is_label_name(other)]
    if labelled and settings.label is None and labels == [name]:
        raise UserError(f"{path}: split.groups names the label, {quoted(name)}. Name another column, or leave it out.")
    return names.index(name) if name in names else None


def _position(
    path: str, names: list[str], left: list[int], setting: str, name: str | None, required: bool, rank: Any
) -> int | None:
    """Returns the position of the label or id: by the setting where it is given, else the first that ranks best."""
    if name is None:
        ranked = [(rank(names[position]), position) for position in left if rank(names[position]) is not None]
        return min(ranked, default=(0, None))[1]
    if name in names:
        return names.index(name)
    if required:
        raise UserError(f"{path}: data.{setting}: no column {quoted(name)}, but {listed(names)}. Name one of these.")
    return None


def _label_rank(name: str) -> int | None:
    return LABEL_NAMES.index(name.lower()) if is_label_name(name) else None


def _id_rank(name: str) -> int | None:
    return 0 if is_id_name(name) else None


def _begins_with_label(pixels: PixelColumns, height: int | None) -> bool:
    """Whether one column more than an image has is named like the pixels, as R does with V1, V2, …"""
    count = len(pixels.positions)
    if pixels.size or count < 2:
        return False
    if height:
        return count % height == 1
    return square_shape(count) is None and square_shape(count - 1) is not None


def _notes(
    names: list[str], label: int | None, row_id: int | None, shape: tuple[int, ...], *, assumed: bool, has_names: bool
) -> tuple[str, ...]:
    notes = []
    if assumed:
        origin = f"column {quoted(names[label or 0])}" if has_names else f"no header: column {names[label or 0]}"
        notes.append(f"{origin} was assumed to be the label; data.label names another")
    elif label is not None and names[label] != "label":
        notes.append(f"column {quoted(names[label])} is the label")
    if row_id is not None:
        notes.append(f"column {quoted(names[row_id])} holds ids and is not read")
    if len(shape) > 2:
        notes.append("three columns a pixel were read as its red, green and blue")
    return tuple(notes)
