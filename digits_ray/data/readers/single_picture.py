"""A single picture, as one row without a label."""

import pyarrow as pa

from digits_ray.config import DataConfig
from digits_ray.data.readers.decode import Picture, decode_pictures
from digits_ray.data.readers.image_folder import ID_COLUMN
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.picture import is_picture
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError
from digits_ray.storage.remote import folder_and_name

_NETPBM = {b"P1": ".pbm", b"P4": ".pbm", b"P2": ".pgm", b"P5": ".pgm", b"P3": ".ppm", b"P6": ".ppm"}


def is_single_picture(source: Source) -> bool:
    """Returns whether the file begins as a picture; two letters count only with the name that belongs to them."""
    if source.is_folder:
        return False
    netpbm = _NETPBM.get(source.head[:2])
    return is_picture(source.head) or (netpbm is not None and source.lower_name.endswith((netpbm, ".pnm")))


def parse_single_picture(source: Source, labelled: bool, settings: DataConfig) -> ParsedFile:
    """Reads a picture.

    Args:
        source: The file.
        labelled: Whether labels are required, which a picture has not.
        settings: `size` and `grayscale` convert.

    Raises:
        UserError: It cannot be read, or a label is required.
    """
    if labelled:
        raise UserError(f"{source.name}: a single picture has no label. For training, name a folder of pictures.")
    images = decode_pictures([Picture(source.name, source.content)], settings)
    name = folder_and_name(source.name)[1]
    return ParsedFile(images, has_labels=False, ids=pa.array([name], pa.string()), id_column=ID_COLUMN)
