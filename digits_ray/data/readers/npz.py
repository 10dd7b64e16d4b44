"""NumPy archives: `images` (rows, height, width) uint8, `labels` (rows,). Nothing is ever unpickled."""

import io
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line, quoted
from digits_ray.data.labels import checked_texts
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError

_LAYOUT = "np.savez(path, images=images, labels=labels), images (rows, height, width) uint8"
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
_LABEL_TYPES = {"i": pa.int64(), "u": pa.uint64(), "f": pa.float64(), "U": pa.string()}  # by NumPy's kind


def is_npz(source: Source) -> bool:
    """Returns whether the file begins as a zip archive of NumPy arrays."""
    return not source.is_folder and source.head.startswith(b"PK\x03\x04") and b".npy" in source.head


def parse_npz(source: Source, labelled: bool, settings: DataConfig) -> ParsedFile:
    """Reads a NumPy archive.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there.
        settings: The run's.

    Raises:
        UserError: Naming the array at fault, and the row where there is one.
    """
    path, content = source.name, source.content
    archive = _opened(path, content)
    images = _checked_images(path, _array(path, archive, "images"))
    texts = _label_texts(path, _array(path, archive, "labels"), len(images)) if labelled else None
    return ParsedFile(images, "labels" in archive.files, texts)


def _opened(path: str, content: bytes) -> Any:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise UserError(f"{path}: is not a complete .npz archive. Write it again with {_LAYOUT}.")
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def _array(path: str, archive: Any, key: str) -> np.ndarray:
    if key not in archive.files:
        present = ", ".join(map(quoted, archive.files[:8])) or "nothing"
        raise UserError(f"{path}: no array {key!r}, but {present}. Write it with {_LAYOUT}.")
    try:
        return archive[key]
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{path}: array {key!r} holds pickled objects, which are never loaded. "
                "Save it as numbers or text, e.g. with .astype(str)."
            ) from None
        raise _damaged(path, error) from None


def _damaged(path: str, error: Exception) -> UserError:
    return UserError(f"{path}: the .npz archive is damaged ({one_line(error)}). Write or download it again.")


def _checked_images(path: str, images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8:
        raise UserError(
            f"{path}: array 'images' is {images.dtype}, not uint8. Scale it to 0 to 255, round, then .astype('uint8')."
        )
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise UserError(
            f"{path}: array 'images' has shape {images.shape}, not (rows, height, width). Reshape it before saving."
        )
    return np.ascontiguousarray(images)


def _label_texts(path: str, labels: np.ndarray, rows: int) -> Any:
    if labels.shape != (rows,):
        raise UserError(
            f"{path}: array 'labels' has shape {labels.shape}, not ({rows},). Save one label for each image."
        )
    if labels.dtype.kind not in _LABEL_TYPES:
        raise UserError(f"{path}: array 'labels' is {labels.dtype}. Save whole numbers or text, e.g. by .astype(str).")
    typed = pa.array(labels.tolist(), _LABEL_TYPES[labels.dtype.kind])
    return checked_texts(path, "array 'labels'", typed)
