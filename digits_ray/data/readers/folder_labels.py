"""A list of labels beside pictures: a CSV file with a picture's file name and its label in each row."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.readers.column_faults import refuse_separators
from digits_ray.data.readers.columns import is_id_name, is_label_name
from digits_ray.data.readers.folder_listing import FolderListing
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source
from digits_ray.encoding import in_utf8
from digits_ray.errors import UserError
from digits_ray.storage.remote import folder_and_name, joined

LABELS_FILE = "labels.csv"

_OTHER_FILE_NAMES = ("image", "img", "picture", "path", "filepath", "imagepath")  # beside those of ids
_LAYOUT = f"Write {LABELS_FILE} with the columns file,label"


@dataclass(frozen=True)
class ListedPictures:
    """The rows of a list of labels."""

    names: list[str]  # in the folder
    labels: list[str]
    notes: tuple[str, ...]
    groups: list[str] | None  # None where none are asked for


def find_labels_file(source: Source, listing: FolderListing) -> Source | None:
    """Returns the list of labels in the folder; or beside it, where the pictures lie in the folder itself."""
    inside = next((name for name in listing.top.others if name.lower() == LABELS_FILE), None)
    if inside is not None:
        return Source(joined(source.name, inside))
    if not listing.top.pictures:
        return None
    beside = Source(joined(folder_and_name(source.name.rstrip("/"))[0], LABELS_FILE))
    return beside if beside.is_file else None


def read_labels(labels_file: Source, source: Source, listing: FolderListing, settings: ReadSettings) -> ListedPictures:
    """Reads which pictures there are, and their labels.

    Args:
        labels_file: A CSV file with a header.
        source: The folder of the pictures.
        listing: What lies in it.
        settings: `id` names the column of files, `label` that of labels; without them, usual names are known. `groups`
            names that of groups.

    Raises:
        UserError: Naming the row at fault; it counts from 1 after the header.
    """
    rows = _rows(labels_file)
    file_column, label_column = _columns(labels_file, rows[0], settings)
    group_column = _group_column(labels_file, rows[0], label_column, settings.groups)
    pictures = _Pictures(source, listing)
    names, labels = [], []
    for number, cells in enumerate(rows[1:], start=1):
        if len(cells) != len(rows[0]):
            count = f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"
            raise UserError(
                f"{labels_file.name}: row {number}: {count} where the header has {len(rows[0])}. Correct the row."
            )
        if not cells[label_column].strip():
            raise UserError(f"{labels_file.name}: row {number}: the label is empty. Fill it in or drop the row.")
        names.append(pictures.find(labels_file.name, number, cells[file_column].strip()))
        labels.append(cells[label_column])
    if not names:
        raise UserError(f"{labels_file.name}: holds no rows. {_LAYOUT}, a row for each picture.")
    _refuse_repeated(labels_file.name, names)
    groups = None if group_column is None else [cells[group_column] for cells in rows[1:]]
    return ListedPictures(names, labels, (_note(labels_file, names, pictures),), groups)


def _group_column(labels_file: Source, header: list[str], label_column: int, name: str | None) -> int | None:
    """Returns the position of the groups; None where none are asked for."""
    names = [cell.strip() for cell in header]
    if name is None:
        return None
    if name not in names or names.index(name) == label_column:
        raise UserError(
            f"{labels_file.name}: split.groups: no column {quoted(name)} beside the label, but "
            f"{', '.join(map(quoted, names[:6]))}. Name one of these."
        )
    return names.index(name)


def _rows(labels_file: Source) -> list[list[str]]:
    try:
        text = in_utf8(labels_file.content).decode()
        rows = [cells for cells in csv.reader(io.StringIO(text, newline=""), strict=True) if cells]
    except UnicodeDecodeError:
        raise UserError(f"{labels_file.name}: is no UTF-8 text. Save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{labels_file.name}: is no readable CSV ({one_line(error)}). {_LAYOUT}.") from None
    if not rows:
        raise UserError(f"{labels_file.name}: holds no rows. {_LAYOUT}, a row for each picture.")
    return rows


def _columns(labels_file: Source, header: list[str], settings: DataConfig) -> tuple[int, int]:
    """Returns the positions of the file names and the labels."""
    names = [name.strip() for name in header]
    refuse_separators(labels_file.name, names)
    label = _position(labels_file, names, settings.label, is_label_name, "labels", "label")
    file = _position(labels_file, names, settings.id, _is_file_name, "file names", "id")
    return file, label


def _position(
    labels_file: Source, names: list[str], given: str | None, is_known: Callable[[str], bool], what: str, setting: str
) -> int:
    if given is not None and given in names:
        return names.index(given)
    known = [position for position, name in enumerate(names) if is_known(name)]
    if given is None and known:
        return known[0]
    wanted = f"no column {quoted(given)}" if given is not None else f"no column of {what}"
    raise UserError(
        f"{labels_file.name}: {wanted}, but {', '.join(map(quoted, names[:6]))}. {_LAYOUT}, or set data.{setting}."
    )


def _is_file_name(name: str) -> bool:
    return is_id_name(name) or name.lower().replace("_", "") in _OTHER_FILE_NAMES


class _Pictures:
    """Finds the pictures of a folder by what a list calls them."""

    def __init__(self, source: Source, listing: FolderListing) -> None:
        self.source = source
        self.names = set(listing.top.pictures)
        self.names |= {f"{name}/{file}" for name, folder in listing.inside.items() for file in folder.pictures}
        self._by_stem: dict[str, list[str]] = {}
        for name in self.names:
            self._by_stem.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)

    def find(self, labels_file: str, row: int, given: str) -> str:
        """Returns a picture's name in the folder; the list may leave out its extension."""
        name = given.replace("\\", "/").removeprefix("./")
        folder = self.source.name.rstrip("/").rpartition("/")[2]
        for candidate in (name, name.removeprefix(f"{folder}/")):
            if candidate in self.names:
                return candidate
            if len(same_stem := self._by_stem.get(candidate, [])) == 1:
                return same_stem[0]
        raise UserError(
            f"{labels_file}: row {row}: no picture {quoted(given)} in {self.source.name}. Add it or drop the row."
        )


def _refuse_repeated(labels_file: str, names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for row, name in enumerate(names, start=1):
        if name in seen:
            raise UserError(f"{labels_file}: rows {seen[name]} and {row} both label {quoted(name)}. Drop one of them.")
        seen[name] = row


def _note(labels_file: Source, names: list[str], pictures: _Pictures) -> str:
    unlisted = len(pictures.names) - len(names)
    words = "pictures that it does not list were" if unlisted > 1 else "picture that it does not list was"
    rest = f"; {unlisted:,} {words} not read" if unlisted else ""
    return f"labels are those of {folder_and_name(labels_file.name)[1]}{rest}"
