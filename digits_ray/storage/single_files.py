"""Single files at a path or URI, outside of a run directory."""

import posixpath
from urllib.parse import urlsplit

from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.storage.remote import folder_and_name
from digits_ray.storage.store import Store, local_cure, resolved


def write_file(path: str, data: bytes) -> None:
    """Writes one file, at a path or URI, complete or not at all; its folder is made where it is missing.

    A symbolic link stays one, and the file that it names is written.

    Raises:
        UserError: it could not be written, or something other than a file is there.
    """
    _refuse_other_than_file(path)
    store, name = _store_and_name(path)
    store.write(name, data)


def check_output(path: str) -> None:
    """Refuses a path at which no file can be written, before what is to be written there is computed.

    Raises:
        UserError: a folder or a device is there, or its folder cannot be written or made.
        RunError: remote storage does not answer.
    """
    _refuse_other_than_file(path)
    store, name = _store_and_name(path)
    if store.local_path is None:
        store.try_upload(name)
    else:
        store.check_writable()


def _refuse_other_than_file(path: str) -> None:
    """Raises UserError where a write would replace a folder or a device by a file."""
    try:
        can_be_written = not path.endswith("/") and bool(folder_and_name(path)[1])
        if not is_remote(path):
            can_be_written &= local_path(path).is_file() or not local_path(path).exists()
    except PermissionError:
        can_be_written = True  # the write itself will fail if not
    except OSError as error:
        raise UserError(f"--output {path}: {local_cure(error)}") from None
    if not can_be_written:
        raise UserError(f"--output {path!r}: not an ordinary file. Name a new file, or one to be replaced.")


def _store_and_name(path: str) -> tuple[Store, str]:
    """Returns the folder of a file, and the file's name in it; a symbolic link is followed."""
    folder, name = folder_and_name(path if is_remote(path) else str(resolved(path)))
    return Store.at(folder), name


def refuse_to_overwrite(input_path: str, output_path: str) -> None:
    """Raises UserError where the output is the input, or lies in its folder, however either is spelled."""
    if _is_same_file(input_path, output_path):
        raise UserError(f"--output {output_path}: is the file of --input, which would be lost. Name another one.")
    if _lies_in_folder(output_path, input_path):
        raise UserError(f"--output {output_path}: lies in the folder of --input. Name a file elsewhere.")


def _is_same_file(path: str, other: str) -> bool:
    if is_remote(path) or is_remote(other):
        return is_remote(path) and is_remote(other) and _object_of(path) == _object_of(other)
    try:
        return local_path(path).samefile(local_path(other))
    except (OSError, ValueError):  # either does not exist, or may not be looked at
        return False


def _lies_in_folder(path: str, folder: str) -> bool:
    if is_remote(path) or is_remote(folder):
        return False
    try:
        inner, outer = local_path(path).resolve(), local_path(folder).resolve()
        return outer.is_dir() and inner.is_relative_to(outer)
    except (OSError, RuntimeError, ValueError):  # a link in a circle, or what is no path
        return False


def _object_of(uri: str) -> tuple[str, str, str]:
    parts = urlsplit(uri)
    scheme = "gs" if parts.scheme == "gcs" else parts.scheme
    return scheme, parts.netloc, posixpath.normpath(parts.path)


def read_file(path: str) -> bytes:
    """Returns the bytes of one file, at a path or URI.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: a local one cannot be read.
        UserError, RunError: see `Store`.
    """
    if not is_remote(path):
        return local_path(path).read_bytes()
    Store.at(path)  # so that the file is named where this kind of storage cannot be used
    folder, name = folder_and_name(path)
    return Store.at(folder).read(name)
