"""What is wrong with a table's columns, in a line that names them and the cure."""

import json
import re
import shlex
from collections.abc import Sequence

import yaml

from digits_ray.data.error_text import quoted
from digits_ray.errors import UserError

LAYOUT = "label,pixel0,pixel1,…"

_LISTED = 5  # names in a message
_LONGEST = 100  # characters of a name in a command to be pasted
_SEPARATORS = re.compile(r"[;\t]|([| ]).*\1.*\1")  # blanks and bars occur in names too, but not again and again


def refuse_separators(path: str, names: list[str]) -> None:
    """Refuses a table whose cells are not separated by commas."""
    if len(names) == 1 and _SEPARATORS.search(names[0]):
        raise UserError(f"{path}: the columns are not separated by commas. Write the file again with commas.")


def refuse_repeated(path: str, names: list[str]) -> None:
    """Refuses a name that two columns have."""
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if name in seen:
            raise UserError(
                f"{path}: column {position} is {quoted(name)} for the second time. "
                f"Name the columns {LAYOUT}, each once."
            )
        seen.add(name)


def refuse_further(path: str, names: list[str], further: list[int], label_is_missing: bool) -> None:
    """Refuses columns that are neither label, id nor pixels."""
    if not further:
        return
    further_names = [names[position] for position in further]
    drop = [*map(_in_yaml, further_names[:_LISTED]), *["…"] * (len(further) > _LISTED)]
    first = shlex.quote(f"data.label={_in_yaml(further_names[0])}")
    label = f"Name the label by --set {first}, or leave" if label_is_missing else "Leave"
    leave_out = shlex.quote(f"data.drop=[{', '.join(drop)}]")
    raise UserError(
        f"{path}: neither label nor pixels: {listed(further_names)}. {label} them out by --set {leave_out}."
    )


def refuse_no_pixels(path: str, names: list[str], pixels: Sequence[int]) -> None:
    """Refuses a table without a column for each pixel, such as a list of pictures."""
    if not pixels:
        raise UserError(
            f"{path}: no columns of pixels, but {listed(names)}. Write one for each pixel, laid out {LAYOUT}; for "
            "pictures, name their folder."
        )


def refuse_missing_label(path: str, labelled: bool, label: int | None) -> None:
    """Refuses a table without the label that training needs."""
    if labelled and label is None:
        raise UserError(
            f"{path}: no column 'label' (nor class, target, y). Training needs each image's label: use the labelled "
            f"file, laid out {LAYOUT}."
        )


def _in_yaml(name: str) -> str:
    """Returns a name as an entry of a list in YAML that is read as this text: `no` and `01` are not, by themselves."""
    if len(name) > _LONGEST:
        return quoted(name)
    try:
        is_plain = name.isprintable() and yaml.safe_load(f"[{name}]") == [name]
    except yaml.YAMLError:
        is_plain = False
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def listed(names: Sequence[str]) -> str:
    """Returns the first names and how many there are."""
    shown = ", ".join(map(quoted, names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"
