"""Where a command's settings and data differ from those of a run directory, and which a preset's change explains."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from digits_ray.config import preset_in_full

# Settings that may differ when a run is continued: they change where and how fast, or add members, never a result.
FREE_TO_CHANGE = (
    "preset", "out", "data.train", "data.test", "resources", "tracking",
    "members.count", "members.min_members", "members.max_attempts", "baselines.enabled", "ensemble",
)  # fmt: skip

NAMED_DIFFERENCES = 4  # in a message; more would fill the screen

_MISSING = object()


@dataclass(frozen=True)
class Difference:
    """One value that a directory has otherwise than this command."""

    name: str  # e.g. "members.recipe.epochs"
    there: Any
    here: Any

    def __str__(self) -> str:
        return f"{self.name} is {_short(self.there)} there, {_short(self.here)} here"


def differences(there: Mapping[str, Any], here: Mapping[str, Any], group: str = "") -> list[Difference]:
    """Returns the settings or facts that differ, by name, but for those that are free to change.

    Args:
        there: What the directory has, as nested mappings.
        here: What this command has.
        group: What the names begin with, e.g. "data".
    """
    old, new = _by_name(there, group), _by_name(here, group)
    names = [name for name in sorted({*old, *new}) if not _is_free(name)]
    return [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def changes_of_preset(
    found: list[Difference], preset_there: Mapping[str, Any] | None, config_here: Mapping[str, Any]
) -> list[Difference]:
    """Returns the differences that come from a new definition of the preset: nobody has set them, then or now.

    A setting counts as the preset's, not the user's, where it has the preset's value.

    Args:
        found: Between the directory's settings and this command's.
        preset_there: All settings of the directory's preset, as it was defined then; None where that is not known.
        config_here: This command's settings.
    """
    name = config_here["preset"]
    preset_here = preset_in_full(name)
    if not preset_there or not preset_here or preset_there.get("preset") != name:
        return []
    old, new = _by_name(preset_there), _by_name(preset_here)
    return [
        one for one in found if old.get(one.name, _MISSING) == one.there and new.get(one.name, _MISSING) == one.here
    ]


def with_values(config: Mapping[str, Any], kept: list[Difference]) -> dict[str, Any]:
    """Returns a configuration, as nested mappings, with the directory's values of some settings."""
    values = deepcopy(dict(config))
    for one in kept:
        *groups, key = one.name.split(".")
        group = values
        for inner in groups:
            group = group[inner]
        group[key] = one.there
    return values


def listed(found: list[Difference]) -> str:
    """Returns the first differences in one line."""
    return "; ".join(map(str, found[:NAMED_DIFFERENCES]))


def _by_name(values: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Returns {"members.count": 10, …}; lists count as values."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{group}.{key}" if group else key
        found |= _by_name(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _is_free(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in FREE_TO_CHANGE)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
