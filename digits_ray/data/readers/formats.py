"""The formats that are read, each chosen by a file's content, and by its name where the content does not tell."""

from collections.abc import Callable
from dataclasses import dataclass

from digits_ray.config import DataConfig
from digits_ray.data.readers.csv import is_csv, parse_csv
from digits_ray.data.readers.npz import is_npz, parse_npz
from digits_ray.data.readers.parquet import is_parquet, parse_parquet
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError

Parser = Callable[[Source, bool, DataConfig], ParsedFile]  # source, labelled, settings


@dataclass(frozen=True)
class Format:
    """A kind of file or folder."""

    extensions: tuple[str, ...]  # in lower case, as messages list them
    matches: Callable[[Source], bool]  # by content; for a folder, by what lies in it
    parse: Parser


# The first that matches is taken, so the least certain signs come last.
FORMATS = (
    Format((".parquet",), is_parquet, parse_parquet),
    Format((".npz",), is_npz, parse_npz),
    Format((".csv", ".csv.gz"), is_csv, parse_csv),
)


def choose_parser(source: Source) -> Parser:
    """Chooses by content, then by name, so that a damaged file is told what is wrong with its format.

    Raises:
        UserError: Neither tells what it is.
    """
    for choice in FORMATS:
        if choice.matches(source):
            return choice.parse
    if source.is_folder:
        raise UserError(f"{source.name}: is a folder. Name the file inside it.")
    for choice in FORMATS:
        if source.lower_name.endswith(choice.extensions):
            return choice.parse
    hint = "Unzip it first" if source.lower_name.endswith(".zip") else f"Use {', '.join(_extensions())}"
    raise UserError(f"{source.name}: files of this kind are not read. {hint}.")


def _extensions() -> list[str]:
    return [extension for choice in FORMATS for extension in choice.extensions]
