"""IDX, the format of MNIST's own files: one file of images, and one of labels beside it.

https://yann.lecun.org/exdb/mnist/index.html describes it: two zero bytes, the type of the values, the number of
dimensions, the size of each as four bytes, then the values. All numbers have their highest byte first.
"""

import math
import re
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.config import DataConfig
from digits_ray.data.error_text import quoted
from digits_ray.data.labels import checked_texts, unless_refused
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError
from digits_ray.storage.remote import folder_and_name

EXTENSIONS = ("-idx3-ubyte", ".idx3-ubyte", "-idx3-ubyte.gz", ".idx3-ubyte.gz")

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 4
_QMNIST_COLUMNS = (8,)  # class, series, writer, character, …: https://github.com/facebookresearch/qmnist
_AGAIN = "Download or copy it again"


@dataclass(frozen=True)
class _Header:
    dtype: str
    sizes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Bytes of the header itself."""
        return 4 + 4 * len(self.sizes)


def is_idx(source: Source) -> bool:
    """Returns whether the file begins as IDX does: zeros, a type, a number of dimensions."""
    if source.is_folder:
        return False
    start = source.head[:4]
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= _MOST_DIMENSIONS


def parse_idx(source: Source, labelled: bool, settings: DataConfig) -> ParsedFile:
    """Reads a file of images, and the labels beside it.

    Args:
        source: The file of images, by itself or compressed by gzip.
        labelled: Whether to read labels, whose file must then be there.
        settings: None apply.

    Raises:
        UserError: A file is not as it should be, or the labels' is missing.
    """
    images = _images(source)
    labels_file = _find_labels_file(source)
    if labels_file is None and not labelled:
        return ParsedFile(images, has_labels=False)
    if labels_file is None:
        raise UserError(
            f"{source.name}: no file of labels beside it, such as {quoted(_label_names(source)[0])}. Put it there."
        )
    columns = " (the first of its columns)" if is_idx(labels_file) and labels_file.head[3] > 1 else ""
    note = f"labels are those of {folder_and_name(labels_file.name)[1]}{columns}"
    if labelled:
        return ParsedFile(images, has_labels=True, label_texts=_labels(labels_file, source, len(images)), notes=(note,))
    labels, notes = unless_refused(source.name, partial(_labels, labels_file, source, len(images)))
    return ParsedFile(images, has_labels=True, label_texts=labels, notes=notes or (note,))


def _images(source: Source) -> np.ndarray:
    header = _read_header(source)
    if len(header.sizes) == 1:
        raise UserError(f"{source.name}: holds labels, not images. Name the file of images, e.g. …-images-idx3-ubyte.")
    height_to_colours = header.sizes[1:]
    if len(header.sizes) == 2 or 0 in height_to_colours or height_to_colours[2:] not in ((), (1,), (3,)):
        raise UserError(f"{source.name}: holds values of {_by(header.sizes)}, not images of height × width pixels.")
    if header.dtype != "u1":
        raise UserError(f"{source.name}: pixels of type {header.dtype}. Write them as unsigned bytes (type 08).")
    images = _values(source, header)
    return images[..., 0] if height_to_colours[2:] == (1,) else images


def _labels(labels_file: Source, source: Source, rows: int) -> Any:
    header = _read_header(labels_file)
    if header.sizes[1:] != _QMNIST_COLUMNS and math.prod(header.sizes[1:]) != 1:
        raise UserError(
            f"{labels_file.name}: holds values of {_by(header.sizes)} where the labels of {source.name} belong. "
            "Put the file of labels there."
        )
    if header.sizes[0] != rows:
        raise UserError(
            f"{labels_file.name}: {header.sizes[0]:,} labels, but {source.name} has {rows:,} images. Use files that "
            "belong together."
        )
    values = _values(labels_file, header).reshape(rows, math.prod(header.sizes[1:]))[:, 0]
    return checked_texts(labels_file.name, "labels", pa.array(values.astype(values.dtype.newbyteorder("="))))


def _read_header(source: Source) -> _Header:
    if not is_idx(source):
        start = quoted(source.head[:4].hex(" "))
        raise UserError(
            f"{source.name}: begins with the bytes {start}, not as an IDX file (00 00 08 03 for images, 00 00 08 01 "
            f"for labels). {_AGAIN}."
        )
    head = source.head
    kind, count = head[2], head[3]
    if len(head) < 4 + 4 * count:
        raise UserError(f"{source.name}: is cut off within its header. {_AGAIN}.")
    sizes = tuple(int(size) for size in np.frombuffer(head, ">i4", count, offset=4))
    if min(sizes) < 0:
        raise UserError(f"{source.name}: its header announces {_by(sizes)} values. {_AGAIN}.")
    return _Header(_TYPES[kind], sizes)


def _values(source: Source, header: _Header) -> np.ndarray:
    expected = math.prod(header.sizes) * np.dtype(header.dtype).itemsize
    present = len(source.content) - header.bytes
    if present != expected:
        fault = "is cut off" if present < expected else "is too long"
        raise UserError(
            f"{source.name}: {fault}: {present:,} bytes of values, but its header announces {_by(header.sizes)}, "
            f"{expected:,} bytes. {_AGAIN}."
        )
    return np.frombuffer(source.content, header.dtype, offset=header.bytes).reshape(header.sizes)


def _by(sizes: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in sizes)


def _find_labels_file(source: Source) -> Source | None:
    siblings = map(source.sibling, _label_names(source))
    return next((sibling for sibling in siblings if sibling.is_file), None)


def _label_names(source: Source) -> list[str]:
    """What the file of labels may be called, most likely first: MNIST's names are written in several ways."""
    name = folder_and_name(source.name)[1]
    base, suffix = (name[:-3], name[-3:]) if name.lower().endswith(".gz") else (name, "")
    base = re.sub("image", _as_cased("label"), base, flags=re.IGNORECASE)
    base = re.sub("idx[2-4]", _as_cased("idx1"), base, flags=re.IGNORECASE)
    qmnist = base.replace("idx1-ubyte", "idx2-int")
    bases = [base, qmnist, *(re.sub("[-._](?=idx1)", mark, base, flags=re.IGNORECASE) for mark in "-._")]
    names = [f"{base}{end}" for end, base in product((suffix, "" if suffix else ".gz"), bases)]
    return [other for other in dict.fromkeys(names) if other != name]


def _as_cased(word: str) -> Any:
    return lambda match: word.upper() if match[0].isupper() else word.capitalize() if match[0][0].isupper() else word
