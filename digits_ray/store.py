"""Named bytes in a folder on any file system that pyarrow reaches: local, NFS, s3, gs.

A name either holds the whole of what was written or is not there; what the bytes mean is for others to know.
"""

import errno
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyarrow import ArrowException
from pyarrow import fs as pafs

from digits_ray.errors import UserError

_UNFINISHED = ".part-"


@dataclass(frozen=True)
class Store:
    """A folder, by its absolute path or URI. Cheap to send to another process."""

    uri: str

    @classmethod
    def at(cls, place: str) -> "Store":
        """Returns the store at a path or URI; relative paths are made absolute.

        Raises:
            UserError: no such kind of storage.
        """
        store = cls(place if "://" in place else str(Path(place).expanduser().resolve()))
        try:
            store._place  # noqa: B018  (asks pyarrow for the file system, once)
        except (ArrowException, ValueError, OSError) as error:
            raise UserError(f"{place}: no usable storage ({_first_line(error)}). Use a path, s3:// or gs://.") from None
        return store

    @cached_property
    def _place(self) -> tuple[pafs.FileSystem, str]:
        return pafs.FileSystem.from_uri(self.uri)

    @property
    def local_path(self) -> Path | None:
        """The folder's path, when it lies on a local (or mounted) file system."""
        file_system, root = self._place
        return Path(root) if isinstance(file_system, pafs.LocalFileSystem) else None

    def below(self, name: str) -> "Store":
        """Returns the store of a folder inside this one."""
        return Store(f"{self.uri.rstrip('/')}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Writes `data` under `name` so that a reader sees the old bytes or the new ones, never a part.

        Raises:
            UserError: the disk is full, or the folder may not be written.
        """
        file_system, path = self._file(name)
        try:
            if self.local_path is None:  # object stores show an upload only when it is complete
                self._upload(file_system, path, data)
                return
            file_system.create_dir(str(Path(path).parent), recursive=True)
            part = f"{path}{_UNFINISHED}{uuid.uuid4().hex}"
            try:
                self._upload(file_system, part, data)
                file_system.move(part, path)
            except OSError:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UserError(f"{self.uri}/{name}: {_cure(error)}") from error

    def read(self, name: str) -> bytes:
        """Returns the bytes under `name`.

        Raises:
            FileNotFoundError: there is no such name.
        """
        file_system, path = self._file(name)
        with file_system.open_input_stream(path, compression=None) as stream:
            return stream.read()

    def has(self, name: str) -> bool:
        """Tells whether there is such a file."""
        file_system, path = self._file(name)
        return file_system.get_file_info(path).type == pafs.FileType.File

    def names(self, folder: str = "") -> list[str]:
        """Returns the files below a folder, at any depth, as sorted names; none when there is no such folder."""
        file_system, path = self._file(folder)
        selector = pafs.FileSelector(path, allow_not_found=True, recursive=True)
        _, root = self._place
        found = [info.path for info in file_system.get_file_info(selector) if info.type == pafs.FileType.File]
        return sorted(name[len(root) :].lstrip("/") for name in found if _UNFINISHED not in name)

    def delete(self, name: str) -> None:
        """Deletes one file; nothing happens when there is none."""
        file_system, path = self._file(name)
        try:
            file_system.delete_file(path)
        except FileNotFoundError:
            return

    def delete_folder(self, folder: str) -> None:
        """Deletes a folder with all that it holds; nothing happens when there is none."""
        file_system, path = self._file(folder)
        if file_system.get_file_info(path).type == pafs.FileType.Directory:
            file_system.delete_dir(path)

    def _file(self, name: str) -> tuple[pafs.FileSystem, str]:
        file_system, root = self._place
        return file_system, f"{root.rstrip('/')}/{name}".rstrip("/")

    @staticmethod
    def _upload(file_system: pafs.FileSystem, path: str, data: bytes) -> None:
        with file_system.open_output_stream(path, compression=None) as stream:
            stream.write(data)


def write_file(path: str, data: bytes) -> None:
    """Writes one file, at a path or URI, whole or not at all; its folder is made where it is missing.

    Raises:
        UserError: it could not be written.
    """
    folder, _, name = path.rpartition("/")
    Store.at(folder or ("/" if path.startswith("/") else ".")).write(name, data)


def _cure(error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return "the disk is full. Free some space, then run the same command again: what is finished is kept."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "may not be written. Choose another --out, or change the folder's permissions."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file stands where a folder is needed. Choose another --out."
    return f"could not be written ({_first_line(error)}). Choose another --out, or mend the storage and run again."


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
