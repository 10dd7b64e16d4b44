"""Images and labels: read, checked, fingerprinted, split, and shared with every actor.

The straight line is `load` → `check` → `split` → `gather` → `share`; an actor calls `open_rows`. `read_images`
reads one file by itself. Every bad file is a `digits_ray.errors.UserError` of one line that names the file,
the row, the column and the cure. Rows count from 1 after the header and blank lines do not count; for CSV the
line of the file stands beside the row, as "row 3 (line 4)".
"""

from digits_ray.data.checks import DataCheck, check
from digits_ray.data.loading import Data, load
from digits_ray.data.readers import ImageFile, read_images
from digits_ray.data.rows import TEST, TRAIN_ONLY, Rows, RowSource, gather
from digits_ray.data.shared import fetch, open_rows, share, stream
from digits_ray.data.splits import split

__all__ = [
    "TEST",
    "TRAIN_ONLY",
    "Data",
    "DataCheck",
    "ImageFile",
    "RowSource",
    "Rows",
    "check",
    "fetch",
    "gather",
    "load",
    "open_rows",
    "read_images",
    "share",
    "split",
    "stream",
]
