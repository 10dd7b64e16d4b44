"""Decodes many pictures, in several processes where it pays, once their headers show that they fit together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line
from digits_ray.data.readers.picture import BadPictureError, PictureShape, decode, shape_from_header
from digits_ray.data.readers.processes import process_map
from digits_ray.data.readers.source import OnProgress
from digits_ray.errors import UserError
from digits_ray.machine import usable_cpus, usable_memory
from digits_ray.storage import is_remote, read_file

_CHUNK_PICTURES = 256  # decoded in some hundredths of a second where they are small
_CHUNK_PIXELS = 32 << 20  # some tenths of a second where they are large
_SECONDS_A_PICTURE, _SECONDS_A_PIXEL = 60e-6, 15e-9  # of one CPU, about; PNG and JPEG
_POOL_SECONDS = 2.0  # of decoding, from which several processes are quicker: starting them takes half a second

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Picture:
    """A picture that has not been decoded."""

    name: str  # that messages begin with
    source: str | bytes  # its path or URI, or its bytes

    @property
    def is_remote(self) -> bool:
        """Whether reading it is a request to an object store."""
        return isinstance(self.source, str) and is_remote(self.source)


def decode_pictures(
    pictures: Sequence[Picture], settings: DataConfig, on_progress: OnProgress | None = None
) -> np.ndarray:
    """Decodes pictures that have the same size and kind, or that `settings` convert to them.

    Args:
        pictures: At least one.
        settings: `size` and `grayscale` convert.
        on_progress: Told from time to time how many are decoded.

    Returns:
        (rows, height, width) or (rows, height, width, 3) uint8.

    Raises:
        UserError: Naming the first picture that is unreadable or unlike the first. All headers are looked at before
            any picture is decoded.
        RunError: Remote storage does not answer, or a process was ended from outside.
    """
    decoder = _Decoder(_shape(pictures[0], settings), pictures[0].name, settings)
    _refuse_too_many(pictures, decoder.shape)
    pixels = _pixels_a_file(pictures[0])
    chunks = _chunks(pictures, pixels)
    with process_map(_process_count(len(pictures), pixels)) as mapped:
        if not pictures[0].is_remote:  # each would be fetched twice
            _raise_first(mapped(decoder.check, chunks))
        return _gathered(mapped(decoder.decode, chunks), decoder.shape, len(pictures), on_progress)


@dataclass(frozen=True)
class _Decoder:
    """What every process needs to know. Faults come back as text, so that the first in order is told."""

    shape: PictureShape
    first: str  # the name of the picture that has it
    settings: DataConfig

    def check(self, pictures: Sequence[Picture]) -> str | None:
        """Returns the first fault that the headers show."""
        try:
            for picture in pictures:
                self._refuse_other_shape(picture, _shape(picture, self.settings))
        except UserError as error:
            return str(error)
        return None

    def decode(self, pictures: Sequence[Picture]) -> np.ndarray | str:
        """Returns the pixels, or the first fault."""
        try:
            return np.stack([self._decoded(picture) for picture in pictures])
        except UserError as error:
            return str(error)

    def _decoded(self, picture: Picture) -> np.ndarray:
        image = _read(picture, decode, self.settings)
        height, width, *colours = image.shape
        self._refuse_other_shape(picture, PictureShape(height, width, 3 if colours else 1))
        return image

    def _refuse_other_shape(self, picture: Picture, shape: PictureShape) -> None:
        if shape == self.shape:
            return
        if shape.channels != self.shape.channels:
            cure = "To convert all pictures, set data.grayscale: true makes them grey, false coloured"
        else:
            cure = f"To scale all pictures, set data.size, e.g. to {min(self.shape.height, self.shape.width)}"
        raise UserError(f"{picture.name}: {shape}, but {self.first} has {self.shape}. {cure}.")


def _shape(picture: Picture, settings: DataConfig) -> PictureShape:
    return _read(picture, shape_from_header, settings)


def _read(picture: Picture, reader: Callable[[BinaryIO, DataConfig], _Result], settings: DataConfig) -> _Result:
    try:
        with _opened(picture.source) as file:
            return reader(file, settings)
    except BadPictureError as fault:
        raise UserError(f"{picture.name}: {fault}") from None
    except FileNotFoundError:
        raise UserError(f"{picture.name}: the file is gone. Put it back and run again.") from None
    except PermissionError:
        raise UserError(f"{picture.name}: you may not read this file. Give yourself permission (chmod u+r).") from None
    except OSError as error:
        raise UserError(f"{picture.name}: cannot be read ({one_line(error)}). Check the path and the disk.") from None


def _opened(source: str | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    return BytesIO(read_file(source)) if is_remote(source) else Path(source).open("rb")


def _pixels_a_file(picture: Picture) -> int:
    """Pixels of a picture before it is scaled."""
    shape = _shape(picture, DataConfig(grayscale=True))
    return shape.height * shape.width


def _refuse_too_many(pictures: Sequence[Picture], shape: PictureShape) -> None:
    size = len(pictures) * shape.height * shape.width * shape.channels
    memory = usable_memory()
    if size > memory:
        raise UserError(
            f"{pictures[0].name}: {len(pictures):,} pictures of {shape} take {size >> 30:,} GiB in memory; this "
            f"process may use {memory >> 30:,} GiB. Set data.size, e.g. to 28: all pictures are scaled to it."
        )


def _chunks(pictures: Sequence[Picture], pixels: int) -> list[Sequence[Picture]]:
    length = max(1, min(_CHUNK_PICTURES, _CHUNK_PIXELS // pixels))
    return [pictures[start : start + length] for start in range(0, len(pictures), length)]


def _process_count(pictures: int, pixels: int) -> int:
    seconds = pictures * (_SECONDS_A_PICTURE + pixels * _SECONDS_A_PIXEL)
    return usable_cpus() if seconds > _POOL_SECONDS else 1


def _raise_first(faults: Iterator[str | None]) -> None:
    fault = next(filter(None, faults), None)
    if fault is not None:
        raise UserError(fault)


def _gathered(
    chunks: Iterator[np.ndarray | str], shape: PictureShape, rows: int, on_progress: OnProgress | None
) -> np.ndarray:
    images = np.empty((rows, shape.height, shape.width) + ((3,) if shape.channels == 3 else ()), np.uint8)
    done = 0
    for chunk in chunks:
        if isinstance(chunk, str):
            raise UserError(chunk)
        images[done : done + len(chunk)] = chunk
        done += len(chunk)
        if on_progress is not None:
            on_progress(done, rows)
    return images
