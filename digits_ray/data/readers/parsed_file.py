"""What the parser of any format returns to `read_images`."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """One file's content, its labels still as text."""

    images: np.ndarray  # (rows, height, width) uint8
    has_labels: bool  # the file has them, read or not
    label_texts: Any = None  # (rows,) pyarrow array of strings, none blank; None when not read
