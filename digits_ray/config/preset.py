"""The recipes that ship with the package, in presets.yaml."""

from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from digits_ray.config.nested import merged
from digits_ray.config.schema import Config
from digits_ray.config.serialization import config_from_dict, config_to_dict
from digits_ray.errors import UserError, nearest

DEFAULT_PRESET = "fast"


@dataclass(frozen=True)
class Preset:
    """A recipe that ships with the package: an entry of presets.yaml."""

    about: dict[str, str]  # what it is for; its time on two kinds of machine, and its accuracy, as far as measured
    config: dict[str, Any]  # the settings in which it differs from the defaults, nested as in YAML
    built_in_digits: dict[str, Any] = field(default_factory=dict)  # in which it differs again, without a training file

    def settings(self, *, built_in_digits: bool) -> dict[str, Any]:
        """Returns the settings in which it differs from the defaults.

        Args:
            built_in_digits: Whether they are trained on, not files of the user.
        """
        return merged(deepcopy(self.config), deepcopy(self.built_in_digits) if built_in_digits else {})


def presets() -> dict[str, Preset]:
    """Returns the presets by name, from the quickest to the longest."""
    return {name: Preset(**deepcopy(values)) for name, values in _presets_file().items()}


def find_preset(name: str) -> Preset:
    """Returns the preset of this name.

    Raises:
        UserError: there is no such preset; the nearest is named.
    """
    known = presets()
    if name not in known:
        raise UserError(f"preset {name!r} does not exist. {nearest(name, list(known))}")
    return known[name]


def preset_in_full(name: str | None, *, built_in_digits: bool) -> dict[str, Any] | None:
    """Returns all settings of a preset, those at their defaults included; None where there is no such preset.

    Args:
        name: The preset's; None: the defaults alone.
        built_in_digits: Whether they are trained on, not files of the user.
    """
    if name is None:
        return config_to_dict(Config())
    preset = presets().get(name)
    if preset is None:
        return None
    return config_to_dict(config_from_dict({**preset.settings(built_in_digits=built_in_digits), "preset": name}))


def preset_yaml(name: str) -> str:
    """Returns all settings of a preset as YAML that `load_config` reads, for files of the user's own.

    Raises:
        UserError: there is no such preset; the nearest is named.
    """
    preset = find_preset(name)
    values = config_to_dict(config_from_dict({**preset.settings(built_in_digits=False), "preset": name}))
    comment = f"# {yaml.safe_dump(preset.built_in_digits, default_flow_style=True, width=10_000).strip()}\n"
    head = "# For files of your own. Without --train and --config, the built-in digits get instead:\n" + comment
    return (head if preset.built_in_digits else "") + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def preset_of_0_1_0(name: str | None) -> dict[str, Any] | None:
    """Returns what `preset_in_full` gave in release 0.1.0, as far as members and baselines depend on it."""
    released = _read_resource("presets_0_1_0.yaml")
    if name not in released["presets"]:
        return None
    return merged(released["defaults"], released["presets"][name] | {"preset": name})


@cache
def _presets_file() -> dict[str, Any]:
    return _read_resource("presets.yaml")


def _read_resource(name: str) -> dict[str, Any]:
    return yaml.safe_load((files("digits_ray.config") / name).read_text(encoding="utf8"))
