"""A file or folder that the user named, not yet read."""

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from digits_ray.data.error_text import one_line
from digits_ray.errors import UserError
from digits_ray.paths import local_path
from digits_ray.storage import Store, is_remote, read_file
from digits_ray.storage.remote import folder_and_name, joined

GZIP_MAGIC = b"\x1f\x8b"

OnProgress = Callable[[int, int], None]  # pictures decoded, pictures in all

_HEAD_BYTES = 64 << 10  # enough to recognise any format
_CHUNK_BYTES = 16 << 20
# Images of handwriting shrink to a tenth in gzip or zip, blank ones to a hundredth; what shrinks more is a bomb.
_MOST_COMPRESSION = 100
_ALWAYS_READ_BYTES = 256 << 20


@dataclass(frozen=True)
class Source:
    """A file or folder by its path or URI. Content is read once, when it is first asked for."""

    name: str  # as the user wrote it; every message begins with it
    on_progress: OnProgress | None = field(default=None, compare=False)  # called while many pictures are decoded

    @property
    def is_remote(self) -> bool:
        """Whether it lies in an object store."""
        return is_remote(self.name)

    @property
    def path(self) -> Path:
        """The local path, for sources that are not remote."""
        return local_path(self.name)

    @property
    def lower_name(self) -> str:
        """The path in lower case, without a URI's query, for its extension."""
        return (urlsplit(self.name).path if self.is_remote else self.name).lower()

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a local folder; one that may not be looked at counts as a file, and reading it says why."""
        try:
            return not self.is_remote and self.path.is_dir()
        except (OSError, ValueError, RuntimeError):
            return False

    @property
    def is_file(self) -> bool:
        """Whether there is such a file, here or in an object store."""
        if not self.is_remote:
            return self.path.is_file()
        folder, name = folder_and_name(self.name)
        return Store.at(folder).has(name)

    @cached_property
    def raw(self) -> bytes:
        """The file's bytes as they lie there.

        Raises:
            UserError: It is missing, empty or may not be read.
        """
        content = _remote_content(self.name) if self.is_remote else _local_content(self)
        if not content:
            raise UserError(f"{self.name}: the file is empty. Download or write it again.")
        return content

    @cached_property
    def content(self) -> bytes:
        """The file's bytes, without gzip compression.

        Raises:
            UserError: As for `raw`, or the compressed data are damaged, or far too large.
        """
        return _unpacked(self.name, self.raw) if self.raw.startswith(GZIP_MAGIC) else self.raw

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB of `content`, or fewer; damage further on does not matter."""
        if not self.raw.startswith(GZIP_MAGIC):
            return self.raw[:_HEAD_BYTES]
        try:
            return zlib.decompressobj(wbits=31).decompress(self.raw, _HEAD_BYTES)
        except zlib.error as error:
            raise _damaged(self.name, error) from None

    def sibling(self, file_name: str) -> "Source":
        """Returns another file in the same folder."""
        return Source(joined(folder_and_name(self.name)[0], file_name))


def refuse_bomb(name: str, packed_bytes: int, unpacked_bytes: int) -> None:
    """Refuses compressed data that would fill the memory, by their size, before it does.

    Args:
        name: For the message.
        packed_bytes: Size as compressed.
        unpacked_bytes: Size as it would be in memory.

    Raises:
        UserError: It is large, and grows more than any real images do.
    """
    if unpacked_bytes > max(_ALWAYS_READ_BYTES, _MOST_COMPRESSION * packed_bytes):
        raise UserError(
            f"{name}: {packed_bytes:,} bytes unpack to {unpacked_bytes:,} or more, which no real images do. "
            "Check where the file comes from; if it is right, give it uncompressed."
        )


def _unpacked(name: str, raw: bytes) -> bytes:
    """Unpacks gzip data; length and CRC are checked, so a truncated file never gives fewer rows."""
    parts, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while part := file.read(_CHUNK_BYTES):
                parts.append(part)
                size += len(part)
                refuse_bomb(name, len(raw), size)
    except EOFError:
        raise UserError(f"{name}: the gzip file is cut off. Download or copy it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(name, error) from None
    return b"".join(parts)


def _damaged(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: the gzip file is damaged ({one_line(error)}). Download or copy it again.")


def _remote_content(name: str) -> bytes:
    try:
        return read_file(name)
    except FileNotFoundError:
        raise UserError(f"{name}: no such file. Check the bucket and the path, and upload it where missing.") from None


def _local_content(source: Source) -> bytes:
    name = source.name
    try:
        if source.path.is_char_device():  # /dev/zero never ends
            raise UserError(f"{name}: is a device. Name a file.")
        return source.path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name}: no such file. Check the path; relative ones start at {Path.cwd()}.") from None
    except PermissionError:
        raise UserError(f"{name}: you may not read this file. Give yourself permission (chmod u+r).") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: cannot be read ({one_line(error)}). Check the path and the disk.") from None
