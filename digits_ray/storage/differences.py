"""Where a command's settings and data differ from those of a run directory, and which a preset's change explains."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from digits_ray.config import OwnNetwork, architecture_identity, architecture_name, preset_in_full

# Settings that may differ when a run is continued: they change where and how fast, or add members, never a result.
FREE_TO_CHANGE = (
    "preset", "out", "data.train", "data.test", "data.holdout", "data.source", "data.label", "data.id", "data.drop",
    "split.groups", "data.split.groups", "submission", "resources", "tracking",
    "members.count", "members.min_members", "members.max_attempts", "members.refit_on_all",
    "baselines.enabled", "ensemble",
)  # fmt: skip

NAMED_DIFFERENCES = 4  # in a message; more would fill the screen

ARCHITECTURES = "members.architectures"

_MISSING = object()


@dataclass(frozen=True)
class Difference:
    """A setting or fact that a directory has otherwise than this command."""

    name: str  # e.g. "members.recipe.epochs"
    in_directory: Any
    in_command: Any

    def __str__(self) -> str:
        if self.name == ARCHITECTURES:
            return _difference_of_networks(self.in_directory, self.in_command)
        return f"{self.name} is {_short(self.in_directory)} there, {_short(self.in_command)} here"


def differences(in_directory: Mapping[str, Any], in_command: Mapping[str, Any], group: str = "") -> list[Difference]:
    """Returns the settings or facts that differ, by name, but for those that are free to change.

    Args:
        in_directory: Nested mappings.
        in_command: Nested mappings.
        group: What the names begin with, e.g. "data".
    """
    old, new = _by_name(in_directory, group), _by_name(in_command, group)
    names = [name for name in sorted({*old, *new}) if not _is_free(name)]
    return [
        Difference(name, old.get(name), new.get(name))
        for name in names
        if _identity(name, old.get(name)) != _identity(name, new.get(name))
    ]


def changes_of_preset(
    changed: list[Difference], former_preset: Mapping[str, Any] | None, command: Mapping[str, Any]
) -> list[Difference]:
    """Returns the differences that come from a new definition of the preset, not from a setting of the user.

    A setting counts as the preset's, not the user's, where it has the preset's value.

    Args:
        changed: Between the directory's settings and this command's.
        former_preset: All settings of the directory's preset, as it was defined then; None where that is not known.
        command: This command's settings.
    """
    preset = preset_in_full(command["preset"], built_in_digits=command["data"]["train"] is None)
    if not former_preset or not preset or former_preset.get("preset") != command["preset"]:
        return []
    old, new = _by_name(former_preset), _by_name(preset)
    return [
        difference
        for difference in changed
        if old.get(difference.name, _MISSING) == difference.in_directory
        and new.get(difference.name, _MISSING) == difference.in_command
    ]


def with_values_of_directory(settings: Mapping[str, Any], changed: list[Difference]) -> dict[str, Any]:
    """Returns settings, as nested mappings, with the directory's values of those that differ."""
    values = deepcopy(dict(settings))
    for difference in changed:
        *groups, key = difference.name.split(".")
        group = values
        for inner in groups:
            group = group[inner]
        group[key] = difference.in_directory
    return values


def listed(changed: list[Difference]) -> str:
    """Returns the first differences in one line."""
    return "; ".join(map(str, changed[:NAMED_DIFFERENCES]))


def _by_name(values: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Returns {"members.count": 10, …}; lists count as values."""
    by_name: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{group}.{key}" if group else key
        by_name |= _by_name(value, name) if isinstance(value, Mapping) else {name: value}
    return by_name


def _is_free(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in FREE_TO_CHANGE)


def _identity(name: str, value: Any) -> Any:
    """Returns what of a value counts: of a network of the user's own the content of its file, wherever that lies."""
    return [architecture_identity(architecture) for architecture in value] if name == ARCHITECTURES and value else value


def _difference_of_networks(in_directory: Sequence[str], in_command: Sequence[str]) -> str:
    old, new = (list(filter(None, map(OwnNetwork.parse, names))) for names in (in_directory, in_command))
    for network in new:
        if any(network.sha256 == former.sha256 for former in old):
            continue
        same_function = [former.file_name for former in old if former.function == network.function]
        if network.file_name in same_function:
            return f"{network.path} has changed since, {network.function!r} is another network now"
        if same_function:
            return f"{network.path} is another file than {same_function[0]}, {network.function!r} another network"
    there, here = (list(map(architecture_name, architectures)) for architectures in (in_directory, in_command))
    return f"{ARCHITECTURES} is {there} there, {here} here"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
