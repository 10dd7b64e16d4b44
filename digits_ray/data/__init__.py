"""Images and labels: read, checked, fingerprinted, split, and shared with every actor.

The straight line is `load` → `check_data` → `split` → `combine_rows` → `put_dataset`; an actor calls `open_rows`.
`load_arrays` takes what is in memory already in the place of `load`'s files; `read_images` reads one file by itself.
Every bad file is a `digits_ray.errors.UserError` of one line that names the file, the row, the column and the cure.
Rows count from 1 after the header and blank lines do not count; for CSV the line of the file follows the row, as
"row 3 (line 4)".
"""

from digits_ray.data.arrays import ARRAYS, images_like, load_arrays
from digits_ray.data.checks import DataCheck, check_data, holdout_rows_trained_on
from digits_ray.data.drawing import image_of_picture, image_of_strokes
from digits_ray.data.drawing_form import DrawingForm, measure_form
from digits_ray.data.groups import class_counts, deal_groups, numbered_by_appearance
from digits_ray.data.image_shape import channels_of, refuse_other_shape, shape_text
from digits_ray.data.loading import Data, load
from digits_ray.data.pixels import as_array, as_pixels, pixels_on_scale
from digits_ray.data.ray_dataset import assemble, fetch_rows, open_rows, put_dataset, put_images, stream_rows
from digits_ray.data.readers.image_file import ImageFile, match_pixel_scale, read_images, refuse_unconverted
from digits_ray.data.rows import TEST, TRAIN_ONLY, Rows, RowSource, combine_rows, row_number
from digits_ray.data.splits import check_validation_groups, split

__all__ = [
    "ARRAYS",
    "TEST",
    "TRAIN_ONLY",
    "Data",
    "DataCheck",
    "DrawingForm",
    "ImageFile",
    "RowSource",
    "Rows",
    "as_array",
    "as_pixels",
    "assemble",
    "channels_of",
    "check_data",
    "check_validation_groups",
    "class_counts",
    "combine_rows",
    "deal_groups",
    "fetch_rows",
    "holdout_rows_trained_on",
    "image_of_picture",
    "image_of_strokes",
    "images_like",
    "load",
    "load_arrays",
    "match_pixel_scale",
    "measure_form",
    "numbered_by_appearance",
    "open_rows",
    "pixels_on_scale",
    "put_dataset",
    "put_images",
    "read_images",
    "refuse_other_shape",
    "refuse_unconverted",
    "row_number",
    "shape_text",
    "split",
    "stream_rows",
]
