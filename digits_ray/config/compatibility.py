"""What the files of earlier releases mean where they lack what was added since 0.1.0.

Whoever adds a setting, or a fact to data.json, adds a line here: its name, and the value that does what was done before
it existed. That value never changes afterwards, whatever the setting's default becomes. Then

- an old config.yaml or data.json without it reads as if it had that value, and
- hashes of members, trials and baselines leave it out where it has that value, so that old ones stay what they were.

0.1.0's own settings are in every hash.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from digits_ray.config.own_network import architecture_identity

ADDED_SETTINGS: dict[str, Any] = {  # by name in config.yaml, e.g. "members.recipe.mixup": 0.0
    "resources.compilation_cache": True,
    "data.holdout": None,
    "data.label": None,
    "data.id": None,
    "data.drop": [],
    "data.height": None,
    "data.size": None,
    "data.grayscale": None,
    "split.groups": None,
    "members.recipe.augmentation.flip": False,
    "members.recipe.augmentation.shear": 0.0,
    "submission.id_column": None,
    "submission.label_column": None,
    "members.refit_on_all": False,
    "members.teachers": None,
}
ADDED_TO_MEMBER_SPEC: dict[str, Any] = {"teachers": ""}  # beside its recipe
ADDED_TO_TRIAL_SPEC: dict[str, Any] = {}  # beside the axes of its baseline's space
ADDED_TO_DATA: dict[str, Any] = {  # by name in data.json, beside its split
    "channels": 1,
    "source": "files",
    "holdout_sha256": None,
    "holdout_rows": 0,
    "groups_sha256": None,
}


def complete_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of config.yaml with the settings that were added since it was written."""
    return _completed(values, ADDED_SETTINGS)


def complete_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of data.json with what was added since it was written."""
    return _completed(values, ADDED_TO_DATA | _settings_in("split", prefix="split."))


def member_identity(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what of a `MemberSpec`, as nested mappings, its hash covers."""
    identity = {key: architecture_identity(value) if key == "architecture" else value for key, value in values.items()}
    return _reduced(identity, ADDED_TO_MEMBER_SPEC | _settings_in("members.recipe", prefix="recipe."))


def trial_identity(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what of a trial of a baseline search, as nested mappings, its hash covers.

    Args:
        values: With the baseline's "kind", and the axes of its space in "params" (single values) or "sweep" (lists).
    """
    axes = _settings_in(f"baselines.{values['kind']}")
    before = {f"sweep.{axis}": options for axis, options in axes.items()}
    before |= {f"params.{axis}": options[0] for axis, options in axes.items()}  # before, there was nothing to choose
    return _reduced(values, ADDED_TO_TRIAL_SPEC | before)


def _settings_in(group: str, prefix: str = "") -> dict[str, Any]:
    """Returns the settings that were added to a group, by `prefix` and their name in it."""
    names = {name: name.removeprefix(f"{group}.") for name in ADDED_SETTINGS if name.startswith(f"{group}.")}
    return {prefix + short: ADDED_SETTINGS[name] for name, short in names.items()}


def _completed(values: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    completed = deepcopy(dict(values))
    for name, before in added.items():
        *groups, key = name.split(".")
        group = completed
        for inner in groups:
            group = group.setdefault(inner, {})
        group.setdefault(key, before)
    return completed


def _reduced(values: Mapping[str, Any], added: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    reduced = {}
    for key, value in values.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and value:
            inner = _reduced(value, added, f"{name}.")
            if inner:  # else the group itself was added, and all in it does what was done before
                reduced[key] = inner
        elif name not in added or added[name] != value:
            reduced[key] = value
    return reduced
