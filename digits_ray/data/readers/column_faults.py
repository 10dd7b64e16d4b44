"""What is wrong with a table's columns, in a line that names them and the cure."""

from collections.abc import Sequence

from digits_ray.data.error_text import quoted
from digits_ray.errors import UserError

LAYOUT = "label,pixel0,pixel1,…"

_LISTED = 5  # names in a message
_LONGEST = 30  # characters of a name in a message


def refuse_separators(path: str, names: list[str]) -> None:
    """Refuses a table whose cells are not separated by commas."""
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
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
    shown, first = listed([names[position] for position in further]), _plain(names[further[0]])
    drop = [_plain(names[position]) for position in further[:_LISTED]] + ["…"] * (len(further) > _LISTED)
    label = f"Name the label by --set data.label='{first}', or leave" if label_is_missing else "Leave"
    raise UserError(
        f"{path}: neither label nor pixels: {shown}. {label} them out by --set 'data.drop=[{', '.join(drop)}]'."
    )


def refuse_missing_label(path: str, labelled: bool, label: int | None) -> None:
    """Refuses a table without the label that training needs."""
    if labelled and label is None:
        raise UserError(
            f"{path}: no column 'label' (nor class, target, y). Training needs each image's label: use the labelled "
            f"file, laid out {LAYOUT}."
        )


def _plain(name: str) -> str:
    """Returns a name to be pasted, or quoted where a screen cannot show it."""
    return name if name.isprintable() and len(name) <= _LONGEST else quoted(name)


def listed(names: Sequence[str]) -> str:
    """Returns the first names and how many there are."""
    shown = ", ".join(map(quoted, names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"
