"""Reads one file of images: the extension of its name chooses the parser."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from digits_ray.data.error_text import one_line
from digits_ray.data.labels import Class, encode_labels
from digits_ray.data.readers.csv import parse_csv
from digits_ray.data.readers.npz import parse_npz
from digits_ray.data.readers.parquet import parse_parquet
from digits_ray.errors import UserError
from digits_ray.paths import local_path
from digits_ray.storage import is_remote, read_file

_PARSERS = {".csv": parse_csv, ".csv.gz": parse_csv, ".parquet": parse_parquet, ".npz": parse_npz}


@dataclass(frozen=True, eq=False)
class ImageFile:
    """The content of one file."""

    images: np.ndarray  # (rows, height, width) uint8
    labels: np.ndarray | None  # (rows,) int32 index into classes; None when read as unlabelled
    classes: tuple[Class, ...]  # sorted; empty when read as unlabelled
    notes: tuple[str, ...]  # what the user may want to know, one line each


def read_images(path: str | Path, labelled: bool) -> ImageFile:
    """Reads images, and their labels if `labelled`.

    Args:
        path: A .csv, .csv.gz, .parquet or .npz file, by its path or URI.
        labelled: Whether to read labels, which must then be there. If not, labels in the file are ignored, with a
            note.

    Raises:
        UserError: The file is missing, unreadable or in any way not as it should be.
        RunError: Remote storage does not answer.
    """
    name = str(path)
    parsed = _PARSERS[_extension(name)](name, _content(name), labelled)
    if len(parsed.images) == 0:
        raise UserError(f"{name}: holds no rows. Use a file with images in it.")
    if not labelled:
        notes = (f"{name} has labels; they are not used",) if parsed.has_labels else ()
        return ImageFile(parsed.images, None, (), notes)
    labels, classes = encode_labels(parsed.label_texts)
    return ImageFile(parsed.images, labels, classes, ())


def _extension(name: str) -> str:
    if not is_remote(name) and _is_folder(name):
        raise UserError(f"{name}: is a folder. Name the file inside it.")
    path = (urlsplit(name).path if is_remote(name) else name).lower()  # a URI may end in a query
    extension = next((extension for extension in _PARSERS if path.endswith(extension)), None)
    if extension is None:
        hint = "Unzip it first" if path.endswith(".zip") else f"Use {', '.join(_PARSERS)}"
        raise UserError(f"{name}: files of this kind are not read. {hint}.")
    return extension


def _is_folder(name: str) -> bool:
    try:
        return local_path(name).is_dir()
    except PermissionError:  # reported when it is read
        return False


def _content(name: str) -> bytes:
    content = _remote_content(name) if is_remote(name) else _local_content(name)
    if not content:
        raise UserError(f"{name}: the file is empty. Download or write it again.")
    return content


def _remote_content(name: str) -> bytes:
    try:
        return read_file(name)
    except FileNotFoundError:
        raise UserError(f"{name}: no such file. Check the bucket and the path, and upload it where missing.") from None


def _local_content(name: str) -> bytes:
    try:
        return local_path(name).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name}: no such file. Check the path; relative ones start at {Path.cwd()}.") from None
    except PermissionError:
        raise UserError(f"{name}: you may not read this file. Give yourself permission (chmod u+r).") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: cannot be read ({one_line(error)}). Check the path and the disk.") from None
