"""Reads a configuration: preset < config file < flags < `--set`."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import yaml

from digits_ray.config.nested import merged, set_nested
from digits_ray.config.preset import DEFAULT_PRESET, find_preset
from digits_ray.config.schema import Config
from digits_ray.config.serialization import config_from_dict
from digits_ray.config.yaml_files import read_yaml
from digits_ray.errors import UserError


def load_config(
    preset: str | None = None,
    file: str | None = None,
    flags: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    read_remote: Callable[[str], bytes] | None = None,
    *,
    arrays: bool = False,
) -> Config:
    """Resolves a configuration: preset < file < flags < settings.

    Where none of them names a training file, the preset's recipe for the built-in digits is used, unless `arrays`.
    Epochs that a file, or flags and settings, give are exact: `min_steps` adds none to them, unless it is given too.

    Args:
        preset: A preset's name; without it, the file's `preset`, or "fast". A `preset` of null in the file or the
            settings starts from the defaults of `Config`.
        file: A YAML file of the same keys as `Config`.
        flags: Dotted keys and values, e.g. {"members.count": 4}; None stands for a flag not given.
        settings: "key.path=value" texts, the value read as YAML.
        read_remote: Reads a file on s3:// or gs://; without it, none is read from there.
        arrays: Whether arrays will be trained on, which `run` is given and no setting names.

    Raises:
        UserError: an unknown preset or key (the nearest valid one is named), a value of the wrong kind.
    """
    from_file = read_yaml(file, "--config", read_remote=read_remote) if file else {}
    last = [_parse_setting(setting) for setting in settings]
    given = _with_exact_epochs_given([(key, value) for key, value in (flags or {}).items() if value is not None] + last)
    name = dict(given).get("preset", preset or from_file.get("preset", DEFAULT_PRESET))
    for built_in_digits in (False, True):
        settings_of_preset = find_preset(str(name)).settings(built_in_digits=built_in_digits) if name else {}
        values = merged(settings_of_preset, _with_exact_epochs(from_file) | {"preset": name})
        for key, value in given:
            set_nested(values, key, value)
        if arrays or _names_training_file(values):
            break
    return config_from_dict(values)


def _with_exact_epochs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a file's settings, with `min_steps` 0 where they give epochs alone."""
    exact = {"members": {"recipe": {"min_steps": 0}}} if _gives_epochs_alone(values) else {}
    return merged(deepcopy(dict(values)), exact)


def _with_exact_epochs_given(given: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Returns dotted keys and values, with `min_steps` 0 where they give epochs alone."""
    values: dict[str, Any] = {}
    for key, value in given:
        set_nested(values, key, deepcopy(value))
    return [*given, ("members.recipe.min_steps", 0)] if _gives_epochs_alone(values) else given


def _gives_epochs_alone(values: Mapping[str, Any]) -> bool:
    members = values.get("members")
    recipe = members.get("recipe") if isinstance(members, Mapping) else None
    return isinstance(recipe, Mapping) and "epochs" in recipe and "min_steps" not in recipe


def _names_training_file(values: Mapping[str, Any]) -> bool:
    data = values.get("data")
    return isinstance(data, Mapping) and data.get("train") is not None


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {setting}: expected key.path=value, e.g. members.recipe.batch_size=64")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"--set {setting}: the value is not valid YAML. Quote it: {key}='…'") from None
