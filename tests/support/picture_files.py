"""Pictures, folders of them and IDX files, good and bad."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40  # 2 × 3 pixels, grey
COLOURED = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10


def encoded(image: np.ndarray | Image.Image = PICTURE, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file has it."""
    file = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int = 8, colour_type: int = 0, rows: bytes = b"") -> bytes:
    """A PNG by its header and its rows, which need not belong together."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_pictures(folder: Path, contents: dict[str, bytes | None]) -> Path:
    """Files by their names in the folder; None is a plain grey picture of its own."""
    for number, (name, content) in enumerate(contents.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(PICTURE + np.uint8(number)) if content is None else content)
    return folder


def idx(values: np.ndarray, kind: int = 0x08, sizes: tuple[int, ...] | None = None) -> bytes:
    """An IDX file; `sizes` may lie."""
    sizes = values.shape if sizes is None else sizes
    return struct.pack(f">BBBB{len(sizes)}i", 0, 0, kind, len(sizes), *sizes) + values.tobytes()


def readable(value: object) -> str:
    """A test's parameter in its name: bytes would fill it, and gzip's hold the time."""
    return value if isinstance(value, str) else type(value).__name__
