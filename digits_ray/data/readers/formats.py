"""The formats that are read, each chosen by a file's content, and by its name where the content does not tell."""

from collections.abc import Callable
from dataclasses import dataclass

from digits_ray.data.readers.csv import is_csv, parse_csv
from digits_ray.data.readers.idx import EXTENSIONS as IDX_EXTENSIONS
from digits_ray.data.readers.idx import is_idx, parse_idx
from digits_ray.data.readers.image_folder import is_image_folder, parse_image_folder
from digits_ray.data.readers.npz import is_npz, parse_npz
from digits_ray.data.readers.parquet import is_parquet, parse_parquet
from digits_ray.data.readers.parquet_images import is_parquet_of_pictures, parse_parquet_of_pictures
from digits_ray.data.readers.parquet_parts import is_folder_of_parquet, parse_folder_of_parquet
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.picture import EXTENSIONS as PICTURE_EXTENSIONS
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.single_picture import is_single_picture, parse_single_picture
from digits_ray.data.readers.source import Source
from digits_ray.data.readers.unread import unread_format
from digits_ray.errors import UserError

Parser = Callable[[Source, bool, ReadSettings], ParsedFile]  # source, labelled, settings


@dataclass(frozen=True)
class Format:
    """A kind of file or folder."""

    extensions: tuple[str, ...]  # in lower case
    matches: Callable[[Source], bool]  # by content; for a folder, by what lies in it
    parse: Parser


# The first that matches is taken, so the least certain signs come last.
FORMATS = (
    Format((), is_folder_of_parquet, parse_folder_of_parquet),
    Format((), is_image_folder, parse_image_folder),
    Format(PICTURE_EXTENSIONS, is_single_picture, parse_single_picture),
    Format(IDX_EXTENSIONS, is_idx, parse_idx),
    Format((), is_parquet_of_pictures, parse_parquet_of_pictures),
    Format((".parquet",), is_parquet, parse_parquet),
    Format((".npz",), is_npz, parse_npz),
    Format((".csv", ".csv.gz"), is_csv, parse_csv),
)

_KINDS = ".parquet, .npz, .csv, .csv.gz, IDX (-idx3-ubyte), pictures or a folder of them"


def choose_parser(source: Source) -> Parser:
    """Chooses by content, then by name, so that a damaged file is told what is wrong with its format.

    Raises:
        UserError: Neither tells what it is.
    """
    for choice in FORMATS:
        if choice.matches(source):
            return choice.parse
    for choice in FORMATS:
        if source.lower_name.endswith(choice.extensions):
            return choice.parse
    if fault := unread_format(source):
        raise UserError(f"{source.name}: {fault}")
    raise UserError(f"{source.name}: files of this kind are not read. Use {_KINDS}.")
