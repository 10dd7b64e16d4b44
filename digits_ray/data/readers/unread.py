"""Files of formats that are known and not read: what each is, and what turns it into one that is."""

import re
from dataclasses import dataclass

from digits_ray.data.readers.npz_archive import LAYOUT
from digits_ray.data.readers.source import Source

_ARRAYS = f"Load it with what reads it, and write its arrays by {LAYOUT}"
_UNPACK = "Unpack it first"


@dataclass(frozen=True)
class _Unread:
    """A format."""

    begins: re.Pattern[bytes]  # its first bytes
    name: str
    cure: str


def _format(begins: bytes, name: str, cure: str) -> _Unread:
    return _Unread(re.compile(begins, re.DOTALL), name, cure)


# The first that matches is told.
_UNREAD = (
    _format(rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|_rels/|xl/)", "an Excel workbook", "Save its sheet as CSV"),
    _format(rb"PK\x03\x04.{26}[^/]{1,200}/data\.pkl", "a file of PyTorch's, a pickle, which is never loaded", _ARRAYS),
    _format(rb"PK\x03\x04", "a zip archive", "Unzip it first"),
    _format(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook", "Save its sheet as CSV"),
    _format(rb".{257}ustar", "a tar archive", _UNPACK),
    _format(rb"BZh[1-9]1AY&SY", "compressed by bzip2", _UNPACK),
    _format(rb"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    _format(rb"\x28\xb5\x2f\xfd", "compressed by Zstandard", _UNPACK),
    _format(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    _format(rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    _format(rb"\x80([\x02\x03][\]}(c]|[\x04\x05]\x95)", "a pickle, which is never loaded", _ARRAYS),
    _format(rb"\x89HDF\r\n\x1a\n|MATLAB 7\.3", "an HDF5 file", _ARRAYS),
    _format(rb"MATLAB 5\.0", "a MATLAB file", _ARRAYS),
    _format(rb"ARROW1|FEA1|\xff\xff\xff\xff.{2}\0\0", "an Arrow table", "Write it as Parquet"),
    _format(rb"\s*(\{\s*\"|\[\s*([\[{]|-?\d[\d.]*\s*,))", "JSON", "Write it as CSV, a column for each pixel"),
    _format(rb"(?i)(\s*%[^\n]*\n|\s*\n)*\s*@relation\b", "ARFF", "Write it as CSV, or as Parquet"),
    _format(rb"(?i)\s*<(!doctype|html)\b", "a page of HTML, and not what it was to be", "Download it again"),
    _format(rb"version https://git-lfs\.github\.com/", "a pointer of Git LFS, not the file", "Run `git lfs pull`"),
)


def unread_format(source: Source) -> str | None:
    """Returns what a file is and the cure, where its first bytes are those of a format that is known and not read."""
    if source.is_folder:
        return None
    match = next((unread for unread in _UNREAD if unread.begins.match(source.head)), None)
    return f"is {match.name}. {match.cure}." if match else None
