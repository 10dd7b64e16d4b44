"""A folder of pictures: a folder for each class, or a list of labels beside them, or neither where none are needed."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from digits_ray.data.error_text import quoted
from digits_ray.data.labels import checked_texts, texts_where_present, unless_refused
from digits_ray.data.readers.decode import Picture, decode_pictures
from digits_ray.data.readers.folder_labels import LABELS_FILE, find_labels_file, read_labels
from digits_ray.data.readers.folder_listing import FolderListing, list_folder, path_inside
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError
from digits_ray.storage import Store

ID_COLUMN = "file"

_LAYOUT = f"put the pictures of each class in a folder of its own, or write {LABELS_FILE} (file,label) beside them"


@dataclass(frozen=True)
class _Rows:
    """The pictures that are read, by their names in the folder, and their labels."""

    names: list[str]
    labels: list[str] | None
    notes: tuple[str, ...] = ()
    groups: list[str] | None = None


def is_image_folder(source: Source) -> bool:
    """Returns whether it is a folder; formats that folders of other files have come before."""
    return source.is_folder or is_remote_folder(source)


def is_remote_folder(source: Source) -> bool:
    """Returns whether a URI is that of a folder; only names without an extension are looked up."""
    if not source.is_remote or "." in source.lower_name.rstrip("/").rpartition("/")[2]:
        return False
    return bool(Store.at(source.name).names())


def parse_image_folder(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads a folder of pictures, in the natural order of classes and names.

    Args:
        source: The folder.
        labelled: Whether to read labels, which must then be there.
        settings: `size` and `grayscale` convert; `label` and `id` name the columns of a list of labels.

    Raises:
        UserError: Naming the picture, folder or row of labels at fault.
        RunError: Remote storage does not answer.
    """
    listing = list_folder(source)
    _refuse_no_pictures(source, listing)
    labels_file = find_labels_file(source, listing)
    rows = _rows(labels_file, source, listing, labelled, settings)
    images = decode_pictures([_picture(source, name) for name in rows.names], settings, source.on_progress)
    has_labels = labels_file is not None or len(listing.inside) > 1
    texts, groups, notes = None, None, rows.notes
    if labelled:
        texts = checked_texts(source.name, "labels", pa.array(rows.labels, pa.string()))
        if rows.groups is not None:
            groups = checked_texts(
                LABELS_FILE, f"column {settings.groups}", pa.array(rows.groups, pa.string()), "group"
            )
    elif has_labels:
        known = partial(_known_labels, labels_file, source, listing, settings, rows.names)
        texts, notes = unless_refused(source.name, known)
    return ParsedFile(
        images=images,
        has_labels=has_labels,
        label_texts=texts,
        ids=pa.array(rows.names, pa.string()),
        id_column=ID_COLUMN,
        groups=groups,
        notes=notes + _ignored_note(listing, labels_file),
    )


def _rows(
    labels_file: Source | None, source: Source, listing: FolderListing, labelled: bool, settings: ReadSettings
) -> _Rows:
    """Returns the pictures to read: those of the list, of the folder itself, or of the folders of the classes."""
    if labelled and labels_file is not None:
        listed = read_labels(labels_file, source, listing, settings)
        return _Rows(listed.names, listed.labels, listed.notes, listed.groups)
    if listing.top.pictures:
        return _flat_rows(source, listing, labelled)
    return _class_rows(source, listing, labelled)


def _known_labels(
    labels_file: Source | None, source: Source, listing: FolderListing, settings: ReadSettings, names: list[str]
) -> Any:
    """Returns the labels of pictures to label, by the list or by their folders; null where a picture has none."""
    by_name = {name: name.rpartition("/")[0] for name in names}
    if labels_file is not None:
        listed = read_labels(labels_file, source, listing, settings)
        by_name = dict(zip(listed.names, listed.labels, strict=True))
    labels = pa.array([by_name.get(name) for name in names], pa.string())
    return texts_where_present(source.name, "labels", labels)


def _picture(source: Source, name: str) -> Picture:
    path = path_inside(source, name)
    return Picture(path, path if source.is_remote else str(source.path / name))


def _refuse_no_pictures(source: Source, listing: FolderListing) -> None:
    if listing.top.pictures or any(folder.pictures for folder in listing.inside.values()):
        return
    if deeper := next((name for name, folder in listing.inside.items() if folder.folders), None):
        raise _nested(source, listing, deeper)
    files = f", but {quoted(listing.top.others[0])}" if listing.top.others else ""
    raise UserError(f"{source.name}: is a folder without pictures{files}. Name the file or folder that is meant.")


def _flat_rows(source: Source, listing: FolderListing, labelled: bool) -> _Rows:
    """All pictures in the folder itself."""
    if folder := next((name for name, inside in listing.inside.items() if inside.pictures or inside.folders), None):
        raise UserError(
            f"{source.name}: pictures lie in the folder itself ({quoted(listing.top.pictures[0])}) and in folders "
            f"inside it ({quoted(folder)}). Leave either these or those."
        )
    if labelled:
        raise UserError(f"{source.name}: no labels for the pictures in it. For training, {_LAYOUT}.")
    return _Rows(listing.top.pictures, None)


def _class_rows(source: Source, listing: FolderListing, labelled: bool) -> _Rows:
    """All pictures in the folders inside, whose names are the labels."""
    for name, folder in listing.inside.items():
        if folder.folders:
            raise _nested(source, listing, name)
        if labelled and len(listing.inside) == 1:
            raise UserError(
                f"{source.name}: has a single folder, {quoted(name)}, which would be the only class. Name the folder "
                f"whose folders are the classes, or write {LABELS_FILE} (file,label) into this one."
            )
        if labelled and not folder.pictures:
            raise UserError(f"{path_inside(source, name)}: no pictures of this class. Add some, or remove the folder.")
    rows = [(name, f"{name}/{file}") for name, folder in listing.inside.items() for file in folder.pictures]
    labels = [name for name, _ in rows]
    notes = (f"each folder in it is a class: {_shortened(listing.top.folders)}",) if labelled else ()
    return _Rows([name for _, name in rows], labels if labelled else None, notes)


def _nested(source: Source, listing: FolderListing, name: str) -> UserError:
    deeper = listing.inside[name].folders[0]
    return UserError(
        f"{path_inside(source, name)}: a folder with folders in it ({quoted(deeper)}). Name the folder whose folders "
        "are the classes, with nothing but pictures in them."
    )


def _shortened(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])}, … ({len(names):,} classes)"


def _ignored_note(listing: FolderListing, labels_file: Source | None) -> tuple[str, ...]:
    listed = [*listing.top.others, *(f"{name}/{file}" for name, at in listing.inside.items() for file in at.others)]
    used = labels_file.name.rpartition("/")[2] if labels_file else None
    ignored = [name for name in listed if name != used]
    if not ignored:
        return ()
    count = "1 file is no picture and was" if len(ignored) == 1 else f"{len(ignored):,} files are no pictures and were"
    return (f"{count} not read, such as {ignored[0]}" if len(ignored) > 1 else f"{count} not read: {ignored[0]}",)
