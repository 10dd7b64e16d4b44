"""What lies in a folder of pictures, on a disk or in an object store, and in the folders inside it."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.readers.picture import EXTENSIONS, is_picture
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError
from digits_ray.storage import Store, joined

_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin")  # beside names with a dot first
_HEAD_BYTES = 16
_NUMBER = re.compile(r"([0-9]+)")


@dataclass
class Folder:
    """The visible names in a folder, in natural order: 2.png before 10.png."""

    pictures: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # files that are no pictures
    folders: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FolderListing:
    """A folder and those inside it."""

    top: Folder
    inside: dict[str, Folder]  # by name


def list_folder(source: Source) -> FolderListing:
    """Lists a folder two levels deep.

    Raises:
        UserError: A folder may not be read, or something in it is neither a file nor a folder.
        RunError: Remote storage does not answer.
    """
    if source.is_remote:
        return _grouped(Store.at(source.name).names())
    top = _local_folder(source, "")
    return FolderListing(top, {name: _local_folder(source, name) for name in top.folders})


def path_inside(source: Source, name: str) -> str:
    """Returns the path or URI of a file in a folder."""
    return joined(source.name, name)


def is_hidden(name: str) -> bool:
    """Returns whether a name is one that systems leave behind, and people do not see."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Returns a key that sorts numbers in names by value."""
    parts: list[str | int] = [*_NUMBER.split(name)]
    parts[1::2] = [int(str(part)) for part in parts[1::2]]
    return parts, name


def _local_folder(source: Source, name: str) -> Folder:
    path = path_inside(source, name) if name else source.name
    folder = Folder()
    for entry in _entries(path, source.path / name):
        _refuse_unwritable_name(path, entry.name)
        _append(folder, path, entry)
    return _sorted(folder)


def _entries(name: str, path: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from (entry for entry in entries if not is_hidden(entry.name))
    except PermissionError:
        raise UserError(f"{name}: you may not read this folder. Give yourself permission (chmod u+rx).") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({one_line(error)}). Check the path and the disk.") from None


def _append(folder: Folder, path: str, entry: os.DirEntry[str]) -> None:
    if _is(entry.is_dir):
        folder.folders.append(entry.name)
    elif not _is(entry.is_file):
        kind = "a symbolic link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
        raise UserError(f"{path}/{entry.name}: {kind}. Remove it.")
    elif entry.name.lower().endswith(EXTENSIONS) or _begins_as_picture(entry):
        folder.pictures.append(entry.name)
    else:
        folder.others.append(entry.name)


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a link to itself
        return False


def _begins_as_picture(entry: os.DirEntry[str]) -> bool:
    try:
        with Path(entry.path).open("rb") as file:
            return is_picture(file.read(_HEAD_BYTES))
    except OSError:
        return False


def _refuse_unwritable_name(path: str, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: the name {quoted(name)} is not UTF-8. Rename it.") from None


def _grouped(names: list[str]) -> FolderListing:
    top, inside = Folder(), dict[str, Folder]()
    for name in names:
        first, *rest = name.split("/")
        if any(map(is_hidden, (first, *rest))):
            continue
        folder = inside.setdefault(first, Folder()) if rest else top
        if len(rest) > 1:
            folder.folders = sorted({*folder.folders, rest[0]})
        else:
            file = rest[0] if rest else first
            (folder.pictures if file.lower().endswith(EXTENSIONS) else folder.others).append(file)
    top.folders = [*inside]
    return FolderListing(_sorted(top), {name: _sorted(folder) for name, folder in inside.items()})


def _sorted(folder: Folder) -> Folder:
    for names in (folder.pictures, folder.others, folder.folders):
        names.sort(key=natural_order)
    return folder
