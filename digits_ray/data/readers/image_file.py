"""Reads one file or folder of images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray.config import DataConfig
from digits_ray.data.error_text import quoted
from digits_ray.data.labels import Class, encode_labels
from digits_ray.data.readers.formats import choose_parser
from digits_ray.data.readers.parsed_file import ParsedFile, PixelScale
from digits_ray.data.readers.picture import scaled_size
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import OnProgress, Source
from digits_ray.errors import UserError


@dataclass(frozen=True, eq=False)
class ImageFile:
    """The content of one file or folder."""

    images: np.ndarray  # (rows, height, width) or (rows, height, width, 3) uint8
    labels: np.ndarray | None  # (rows,) int32 index into classes; None when read as unlabelled
    classes: tuple[Class, ...]  # sorted; empty when read as unlabelled
    notes: tuple[str, ...]  # what the user may want to know, one line each
    ids: Any = None  # (rows,) pyarrow array of strings; None where the file has none
    id_column: str | None = None  # the name that the file gives them
    pixel_scale: PixelScale = None
    groups: Any = None  # (rows,) pyarrow array of strings; None when not read
    test: "ImageFile | None" = None  # the images to label that a labelled file holds beside its labelled ones
    label_texts: Any = None  # read as unlabelled: (rows,) pyarrow array of strings, null where a row has no label


def read_images(
    path: str | Path,
    labelled: bool,
    settings: DataConfig | None = None,
    on_progress: OnProgress | None = None,
    groups: str | None = None,
) -> ImageFile:
    """Reads images, and their labels if `labelled`.

    Args:
        path: A file or folder of any format in `formats`, by its path or URI.
        labelled: Whether to read labels, which must then be there. If not, labels that can be read come as text.
        settings: How to read it; the defaults without.
        on_progress: Called now and then while pictures are decoded, with how many are and how many there are.
        groups: The name of a column or array that tells which rows belong together; without `labelled` it may be
            missing, and is not read.

    Raises:
        UserError: The file is missing, unreadable or in any way not as it should be.
        RunError: Remote storage does not answer.
    """
    source = Source(str(path), on_progress)
    parsed = choose_parser(source)(source, labelled, ReadSettings.of(settings or DataConfig(), groups))
    if labelled and groups is not None and parsed.groups is None:
        raise UserError(
            f"{source.name}: split.groups: no column {quoted(groups)} is read from data of this layout. Use CSV, "
            "Parquet, .npz, or a folder with labels.csv; or leave split.groups out."
        )
    if settings is not None and len(parsed.images):
        refuse_unconverted(source.name, parsed.images.shape, settings)
    return _image_file(source.name, parsed, labelled)


def match_pixel_scale(path: str, file: ImageFile, scale: PixelScale) -> ImageFile:
    """Returns a file with its pixels read as those of the training file were.

    Args:
        path: For the message.
        file: Read by itself.
        scale: Of the training file.

    Raises:
        UserError: Pixels go to 1 in either file and to 255 in the other.
    """
    if None in (scale, file.pixel_scale) or file.pixel_scale == scale:
        return file
    if scale == 1 and file.images.max() <= 1:  # black and white alone, without a fraction that would tell
        return replace(file, images=file.images * np.uint8(255))
    ranges = {1: "fractions from 0 to 1", 255: "whole numbers from 0 to 255"}
    raise UserError(
        f"{path}: pixels are {ranges[file.pixel_scale or 255]}, but those of the training images are "
        f"{ranges[scale or 255]}. Write both in the same way."
    )


def refuse_unconverted(name: str, shape: tuple[int, ...], settings: DataConfig) -> None:
    """Refuses settings that images are not read by, such as those that convert pictures, unless they are so already.

    Args:
        name: Of the images, for the message.
        shape: (rows, height, width) or (rows, height, width, 3).
        settings: `size`, `grayscale` and `height` count.

    Raises:
        UserError: The images are otherwise.
    """
    if settings.height not in (None, shape[1]):
        raise UserError(
            f"{name}: data.height is {settings.height}, but images here have {shape[1]} rows of pixels, and only "
            "columns of pixels are read by it. Leave it out."
        )
    size = scaled_size(settings)
    if size is not None and shape[1:3] != size:
        raise UserError(
            f"{name}: data.size is {size[0]} × {size[1]}, but images here have {shape[1]} × {shape[2]} pixels, and "
            "only pictures are scaled. Leave data.size out, or scale them before."
        )
    is_grey = len(shape) == 3
    if settings.grayscale not in (None, is_grey):
        raise UserError(
            f"{name}: data.grayscale is {str(settings.grayscale).lower()}, but images here are "
            f"{'grey' if is_grey else 'in colour'}, and only pictures are converted. Leave data.grayscale out, or "
            "convert them before."
        )


def _image_file(name: str, parsed: ParsedFile, labelled: bool) -> ImageFile:
    if len(parsed.images) == 0:
        raise UserError(f"{name}: holds no rows. Use a file with images in it.")
    notes = tuple(f"{name}: {note}" for note in parsed.notes)
    labels, classes = encode_labels(parsed.label_texts) if labelled else (None, ())
    if parsed.ids is not None and (repeated := len(parsed.ids) - len(parsed.ids.unique())):
        notes += (f"{name}: {repeated:,} ids of {parsed.id_column!r} occur a second time",)
    return ImageFile(
        images=parsed.images,
        labels=labels,
        classes=classes,
        notes=notes,
        ids=parsed.ids,
        id_column=parsed.id_column,
        pixel_scale=parsed.pixel_scale,
        groups=parsed.groups,
        label_texts=None if labelled else parsed.label_texts,
        test=None if parsed.test is None else _image_file(name, parsed.test, labelled=False),
    )
