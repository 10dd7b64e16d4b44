"""The arrays of a .npz archive, or a .npy file as an archive of one; read without unpickling, bombs refused."""

import io
import tokenize
import zipfile
import zlib
from functools import cached_property
from typing import Any

import numpy as np

from digits_ray.data.error_text import one_line
from digits_ray.data.readers.source import refuse_bomb
from digits_ray.errors import UserError

LAYOUT = "np.savez(path, images=images, labels=labels), images (rows, height, width) uint8"

_ARRAY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
# What zipfile and NumPy were seen to raise for changed bytes (NotImplementedError is a RuntimeError).
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_archive(head: bytes) -> bool:
    """Returns whether a file that begins so is a .npz or .npy file."""
    return head.startswith(_ARRAY_MAGIC) or (head.startswith(_ZIP_MAGIC) and b".npy" in head[:512])


class Archive:
    """An opened .npz or .npy file."""

    def __init__(self, path: str, content: bytes, single: str = "images") -> None:
        """Opens it.

        Args:
            path: For messages.
            content: The whole file.
            single: What the only array of a .npy file is.

        Raises:
            UserError: It is no such file, damaged, or a bomb.
        """
        self.path, self._content, self._single = path, content, single

    @cached_property
    def keys(self) -> list[str]:
        """The names of the arrays."""
        return [self._single] if self._is_single else list(self._file.files)

    def read(self, key: str) -> np.ndarray:
        """Returns an array of any type: images (rows, …), labels (rows,), or whatever else is there.

        Raises:
            UserError: It is damaged or holds Python objects.
        """
        try:
            return self._file if self._is_single else self._file[key]
        except _DAMAGE as error:
            raise self._fault(key, error) from None

    @property
    def _is_single(self) -> bool:
        return self._content.startswith(_ARRAY_MAGIC)

    @cached_property
    def _file(self) -> Any:
        """The archive, or the array of a .npy file."""
        if not self._is_single:
            self._refuse_no_archive()
        try:
            return np.load(io.BytesIO(self._content), allow_pickle=False)
        except _DAMAGE as error:
            raise self._fault(self._single, error) from None

    def _refuse_no_archive(self) -> None:
        if not zipfile.is_zipfile(io.BytesIO(self._content)):
            raise UserError(f"{self.path}: is not a complete .npz archive. Write it again with {LAYOUT}.")
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
        except _DAMAGE as error:
            raise self._damaged(error) from None
        refuse_bomb(self.path, len(self._content), unpacked)

    def _fault(self, key: str, error: Exception) -> UserError:
        if "allow_pickle" in str(error):
            return UserError(
                f"{self.path}: array {key!r} holds pickled objects, which are never loaded. "
                "Save it as numbers or text, e.g. with .astype(str)."
            )
        return self._damaged(error)

    def _damaged(self, error: Exception) -> UserError:
        return UserError(f"{self.path}: the .npz archive is damaged ({one_line(error)}). Write or download it again.")
