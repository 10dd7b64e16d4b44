"""Named bytes in a folder on any file system that pyarrow reaches: local, NFS, s3, gs.

A name either holds all of what was written or does not exist; other modules interpret the bytes.
"""

import errno
import os
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from pyarrow import ArrowException
from pyarrow import fs as pafs

from digits_ray.errors import RunError, UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.storage import remote

_Result = TypeVar("_Result")

_UNFINISHED = ".part-"


@dataclass(frozen=True)
class Store:
    """A folder, by its absolute path or URI. Cheap to send to another process.

    What fails on remote storage is tried again for a while. Beside the errors named below, every method raises
    UserError where no repetition would help, such as a missing permission, and RunError when the storage still fails.
    """

    uri: str

    @classmethod
    def at(cls, path: str) -> "Store":
        """Returns the store at a path or URI; relative paths are made absolute.

        Raises:
            UserError: no such kind of storage, or a name that pyarrow cannot open.
        """
        try:
            store = cls(path if is_remote(path) else str(resolved(path)))
            _refuse_changed_name(store.uri)
            remote.file_system(store.uri)
        except (ArrowException, ValueError, OSError, ImportError) as error:  # hf:// wants a package
            cure = remote.cure_of_scheme(path)
            raise UserError(f"{path}: no usable storage ({_first_line(error)}). {cure}") from None
        return store

    @property
    def local_path(self) -> Path | None:
        """The folder's path, when it lies on a local (or mounted) file system."""
        file_system, root = remote.file_system(self.uri)
        return Path(root) if isinstance(file_system, pafs.LocalFileSystem) else None

    def subfolder(self, name: str) -> "Store":
        """Returns the store of a folder inside this one."""
        return Store(self.path_of(name))

    def path_of(self, name: str) -> str:
        """Returns the path or URI of a file or folder inside this one."""
        return remote.joined(self.uri, name)

    def write(self, name: str, data: bytes, retry_seconds: float | None = None) -> None:
        """Writes `data` under `name` so that a reader sees the old bytes or the new ones, never a part.

        Args:
            name: In this folder.
            data: All of the file.
            retry_seconds: Seconds for which remote storage that fails is tried again; by default
                `remote.RETRY_SECONDS`.

        Raises:
            UserError: the disk is full, or the folder may not be written.
        """
        if self.local_path is None:  # object stores show an upload only when it is complete
            single_request = len(data) < remote.SINGLE_REQUEST_BYTES
            file_system, root = remote.file_system(self.uri, single_request=single_request)
            self._with_retries(lambda: self._upload(file_system, f"{root}/{name}", data), name, retry_seconds)
            return
        try:
            self._write_local(name, data)
        except OSError as error:
            raise UserError(f"{self.path_of(name)}: {local_cure(error)}") from error

    def read(self, name: str, retry_seconds: float | None = None) -> bytes:
        """Returns the bytes under `name`; `retry_seconds` as for `write`.

        Raises:
            FileNotFoundError: there is no such name.
        """
        file_system, path = self._file(name)
        return self._with_retries(lambda: _content(file_system, path), name, retry_seconds)

    def read_or_none(self, name: str, retry_seconds: float | None = None) -> bytes | None:
        """Returns the bytes under `name`, or None when there is no such name; `retry_seconds` as for `write`."""
        try:
            return self.read(name, retry_seconds)
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Returns whether there is such a file."""
        file_system, path = self._file(name)
        return self._with_retries(lambda: file_system.get_file_info(path).type == pafs.FileType.File, name)

    def names(self, folder: str = "") -> list[str]:
        """Returns the files below a folder, at any depth, as sorted names; none when there is no such folder."""
        return sorted(self.written(folder))

    def written(self, folder: str = "") -> dict[str, datetime]:
        """Returns the files below a folder, at any depth, and when each was last written (UTC)."""
        file_system, path = self._file(folder)
        selector = pafs.FileSelector(path, allow_not_found=True, recursive=True)
        infos = self._with_retries(lambda: file_system.get_file_info(selector), folder)
        _, root = self._file("")
        files = [info for info in infos if info.type == pafs.FileType.File and _UNFINISHED not in info.path]
        return {info.path[len(root) :].lstrip("/"): info.mtime for info in files}

    def delete(self, name: str, retry_seconds: float | None = None) -> None:
        """Deletes one file; nothing happens when there is none. `retry_seconds` as for `write`."""
        file_system, path = self._file(name)
        try:
            self._with_retries(lambda: file_system.delete_file(path), name, retry_seconds)
        except FileNotFoundError:
            return

    def delete_folder(self, folder: str) -> None:
        """Deletes a folder with all that it holds; nothing happens when there is none."""
        file_system, path = self._file(folder)
        try:
            self._with_retries(lambda: file_system.delete_dir(path), folder)
        except FileNotFoundError:
            return

    def check_writable(self) -> None:
        """Refuses a local folder in which no file can be written, or that cannot be made; writes nothing.

        Raises:
            UserError: why, and what to do.
        """
        if self.local_path is None:
            return
        try:
            existing = next(folder for folder in (self.local_path, *self.local_path.parents) if folder.exists())
            with TemporaryFile(dir=existing):
                pass
        except OSError as error:
            raise UserError(f"{self.uri}: {local_cure(error)}") from None

    def try_upload(self, name: str) -> None:
        """Uploads an empty file beside a name on remote storage and deletes it: the only test of what may be written.

        Raises:
            UserError, RunError: see `Store`.
        """
        probe = f"{name}{_UNFINISHED}{uuid.uuid4().hex}"
        file_system, root = remote.file_system(self.uri, single_request=True)
        self._with_retries(lambda: self._upload(file_system, f"{root}/{probe}", b""), name)  # the name, for the message
        with suppress(UserError, RunError):  # to delete may be denied where to write is not
            self.delete(probe, retry_seconds=0)

    def _write_local(self, name: str, data: bytes) -> None:
        file_system, path = self._file(name)
        file_system.create_dir(str(Path(path).parent), recursive=True)
        part = str(Path(path).with_name(f"{_UNFINISHED}{uuid.uuid4().hex}"))  # any name that may be written has room
        try:
            self._upload(file_system, part, data)
            _to_disk(part)
            file_system.move(part, path)
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise

    def _with_retries(self, call: Callable[[], _Result], name: str, retry_seconds: float | None = None) -> _Result:
        if self.local_path is not None:
            try:
                return call()
            except FileNotFoundError:
                raise
            except OSError as error:
                raise UserError(f"{self.path_of(name)}: {local_cure(error, 'read')}") from None
        return remote.with_retries(call, self.path_of(name), retry_seconds)

    def _file(self, name: str) -> tuple[pafs.FileSystem, str]:
        file_system, root = remote.file_system(self.uri)
        return file_system, f"{root.rstrip('/')}/{name}".rstrip("/")

    @staticmethod
    def _upload(file_system: pafs.FileSystem, path: str, data: bytes) -> None:
        with file_system.open_output_stream(path, compression=None) as stream:
            stream.write(data)


def resolved(path: str) -> Path:
    """Returns the absolute path of a local file or folder, symbolic links followed.

    Raises:
        UserError: links lead in a circle.
    """
    try:
        return local_path(path).resolve()
    except RuntimeError:  # what pathlib makes of it
        raise UserError(f"{path}: a symbolic link that leads back to itself. Choose another name.") from None


def _refuse_changed_name(path: str) -> None:
    """Raises UserError where pyarrow would open another file than Python: it takes every name for UTF-8."""
    encoding = sys.getfilesystemencoding()
    if not path.isascii() and encoding.lower() not in ("utf-8", "utf8"):
        raise UserError(f"{path}: letters beyond ASCII, and the locale's encoding is {encoding}. Set PYTHONUTF8=1.")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: the name is not in UTF-8. Rename it.") from None


def _to_disk(path: str) -> None:
    """Waits until a file's bytes are on the disk: after lost power, a name must not be of bytes that never were."""
    with Path(path).open("rb") as file:
        os.fsync(file.fileno())


def _content(file_system: pafs.FileSystem, path: str) -> bytes:
    with file_system.open_input_file(path) as file:  # one request; a stream asks for each 256 KiB by itself
        return file.read()


def local_cure(error: OSError, attempted: str = "written") -> str:
    """Returns why a local file could not be written (or what else was attempted), and what to do."""
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return "the disk is full. Free some space, then run the same command again: what is finished is kept."
    if error.errno == errno.EDQUOT or "quota exceeded" in str(error).lower():
        return "your quota of that disk is used up. Free some space, then run the same command again."
    if error.errno == errno.EROFS:
        return (
            "the file system is read-only. Choose another folder, or make it writable and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied. Choose another folder, or change this one's permissions."
    if error.errno == errno.ENAMETOOLONG:
        return "the path, or a name in it, is too long. Choose a shorter one."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file stands where a folder is needed. Choose another folder."
    return (
        f"could not be {attempted} ({_first_line(error)}). Choose another folder, or repair the storage and run again."
    )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
