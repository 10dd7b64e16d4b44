"""What a reader of any format returns to `read_images`."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

PixelScale = Literal[1, 255]  # the greatest value that a pixel may have in the file


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """One file's content, its labels still as text."""

    images: np.ndarray  # (rows, height, width) or (rows, height, width, 3) uint8
    has_labels: bool  # the file has them, read or not
    label_texts: Any = None  # (rows,) pyarrow array of strings, none blank; None when not read
    ids: Any = None  # (rows,) pyarrow array of strings, none blank; None where the file has none
    id_column: str | None = None  # the name that the file gives them
    notes: tuple[str, ...] = ()  # what was assumed, one line each, without the file's name
    pixel_scale: PixelScale = 255  # 1: the file had fractions of 255, and `images` has them multiplied
    test: "ParsedFile | None" = None  # the images to label that a labelled file holds beside its labelled ones
