"""What a reader of any format returns to `read_images`."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# The greatest value that a pixel may have in the file. None: pictures, whose format says what white is.
PixelScale = Literal[1, 255] | None


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """One file's content, its labels still as text."""

    images: np.ndarray  # (rows, height, width) or (rows, height, width, 3) uint8
    has_labels: bool  # the file has them, read or not
    # (rows,) pyarrow array of strings, none blank; read as unlabelled, null where a row has none. None where not read.
    label_texts: Any = None
    ids: Any = None  # (rows,) pyarrow array of strings, none blank; None where the file has none
    id_column: str | None = None  # the name that the file gives them
    notes: tuple[str, ...] = ()  # what was assumed, one line each, without the file's name
    pixel_scale: PixelScale = None  # 1: the file has fractions, and `images` has them multiplied by 255
    groups: Any = None  # (rows,) pyarrow array of strings, none blank; None when not read, or the file has none
    test: "ParsedFile | None" = None  # the images to label that a labelled file holds beside its labelled ones
