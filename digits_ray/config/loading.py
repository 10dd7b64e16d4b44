"""Reads a configuration: preset < config file < flags < `--set`."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from digits_ray.config.schema import Config
from digits_ray.config.unique_keys import RepeatedKeyError, UniqueKeysLoader, UniqueKeysTextLoader
from digits_ray.errors import UserError, nearest
from digits_ray.paths import is_remote, local_path

FLAG_OF_SETTING = {  # settings that have a flag of their own
    "data.train": "--train",
    "data.test": "--test",
    "data.holdout": "--holdout",
    "out": "--out",
    "preset": "--preset",
    "members.count": "--members",
    "members.recipe.epochs": "--epochs",
    "members.refit_on_all": "--refit-on-all",
    "resources.gpus_per_member": "--gpus-per-member",
    "resources.cpus_per_member": "--cpus-per-member",
    "resources.address": "--address",
    "seed": "--seed",
}

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
        return _merge(deepcopy(self.config), deepcopy(self.built_in_digits) if built_in_digits else {})


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
        values = _merge(settings_of_preset, _with_exact_epochs(from_file) | {"preset": name})
        for key, value in given:
            _set_nested(values, key, value)
        if arrays or _names_training_file(values):
            break
    return config_from_dict(values)


def _with_exact_epochs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a file's settings, with `min_steps` 0 where they give epochs alone."""
    exact = {"members": {"recipe": {"min_steps": 0}}} if _gives_epochs_alone(values) else {}
    return _merge(deepcopy(dict(values)), exact)


def _with_exact_epochs_given(given: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Returns dotted keys and values, with `min_steps` 0 where they give epochs alone."""
    values: dict[str, Any] = {}
    for key, value in given:
        _set_nested(values, key, deepcopy(value))
    return [*given, ("members.recipe.min_steps", 0)] if _gives_epochs_alone(values) else given


def _gives_epochs_alone(values: Mapping[str, Any]) -> bool:
    members = values.get("members")
    recipe = members.get("recipe") if isinstance(members, Mapping) else None
    return isinstance(recipe, Mapping) and "epochs" in recipe and "min_steps" not in recipe


def _names_training_file(values: Mapping[str, Any]) -> bool:
    data = values.get("data")
    return isinstance(data, Mapping) and data.get("train") is not None


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Builds a `Config` from nested mappings, as YAML gives them.

    Raises:
        UserError: one line that names the key, the value received and the cure.
    """
    try:
        return _ADAPTER.validate_python(dict(values))
    except ValidationError as error:
        raise UserError(_error_text(error)) from None


def config_to_dict(config: Config) -> dict[str, Any]:
    """Returns the configuration as plain nested mappings, lists and numbers."""
    return json.loads(_ADAPTER.dump_json(config))


def config_to_yaml(config: Config) -> str:
    """Returns the configuration as YAML that `load_config` reads again."""
    return yaml.safe_dump(config_to_dict(config), sort_keys=False, allow_unicode=True)


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
    return _merge(released["defaults"], released["presets"][name] | {"preset": name})


@cache
def _presets_file() -> dict[str, Any]:
    return _read_resource("presets.yaml")


def _read_resource(name: str) -> dict[str, Any]:
    return yaml.safe_load((files("digits_ray.config") / name).read_text(encoding="utf8"))


def read_yaml(
    path: str,
    flag: str,
    read_remote: Callable[[str], bytes] | None = None,
    *,
    as_text: bool = False,
) -> dict[str, Any]:
    """Reads a YAML file of named values.

    Args:
        path: Of the file.
        flag: That named the file; for messages.
        read_remote: As for `load_config`.
        as_text: Whether every value is a text.

    Raises:
        UserError: it cannot be read, or holds no named values.
    """
    example = "See `digits-ray presets fast` for an example." if flag == "--config" else ""
    try:
        # As bytes: PyYAML reads a byte-order mark, so UTF-16 too, as PowerShell's > writes it.
        content = read_remote(path) if read_remote and is_remote(path) else local_path(path).read_bytes()
        values = yaml.load(content, UniqueKeysTextLoader if as_text else UniqueKeysLoader)
    except OSError as error:
        reason = "No such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{flag} {path}: {reason}. Name a readable YAML file.") from None
    except yaml.reader.ReaderError:
        raise UserError(f"{flag} {path}: not text in UTF-8 or UTF-16. Save it as UTF-8.") from None
    except RepeatedKeyError as error:
        raise UserError(f"{flag} {path}: line {error.line}: {error.key!r} for the second time. Join the two.") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}:" if where else ""
        raise UserError(f"{flag} {path}:{line} not valid YAML. {example}".rstrip()) from None
    if not isinstance(values, dict):
        raise UserError(f"{flag} {path}: holds no settings. {example}".rstrip())
    return values


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {setting}: expected key.path=value, e.g. members.recipe.batch_size=64")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"--set {setting}: the value is not valid YAML. Quote it: {key}='…'") from None


def _set_nested(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        deeper = values.setdefault(part, {})
        if not isinstance(deeper, dict):
            raise UserError(f"{key}: {part!r} is a value, not a group of settings. Set {part} itself.")
        values = deeper
    values[last] = value


def _error_text(error: ValidationError) -> str:
    """Turns pydantic's first error into one line: key, value received, what is expected."""
    first = error.errors(include_url=False)[0]
    path = [part for part in first["loc"] if part in _KEYS or isinstance(part, int)]
    key = ".".join(map(str, path))
    if first["type"] in ("unexpected_keyword_argument", "invalid_key"):
        parent = _fields_at([str(part) for part in first["loc"][:-1]])
        return f"unknown setting {'.'.join(map(str, first['loc']))!r}. {nearest(str(first['loc'][-1]), parent)}"
    if first["type"] == "value_error":
        cause = first["msg"].removeprefix("Value error, ")
        where = f"{key}: " if key else ""  # keys of several groups that do not go together name themselves
        return where + (cause if cause.endswith(("?", ".")) else f"{cause}.")
    same = [_expected(detail) for detail in error.errors() if detail["loc"][: len(path)] == tuple(path)]
    name = f"{FLAG_OF_SETTING[key]} ({key})" if key in FLAG_OF_SETTING else key
    return f"{name}={first['input']!r}: {', or '.join(dict.fromkeys(same))}."


def _expected(detail: ErrorDetails) -> str:
    """Returns what a value should be, in words of YAML where pydantic has Python's."""
    return _EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("Input ")


def _fields_at(path: list[str]) -> list[str]:
    """Returns the settings that the group at `path` has."""
    group: Any = Config()
    for part in path:
        group = getattr(group, part)
    return [entry.name for entry in fields(group)]


def _all_keys(group: Any) -> set[str]:
    names = {entry.name for entry in fields(group)}
    deeper = [getattr(group, name) for name in names if is_dataclass(getattr(group, name))]
    return names.union(*(_all_keys(child) for child in deeper))


_EXPECTED = {
    "dataclass_type": "is a group of settings; set those in it, as `digits-ray presets fast` shows them",
    "tuple_type": "should be a list, e.g. [a, b]",
    "too_short": "should not be empty",
    "string_too_short": "should not be empty",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "int_type": "should be a whole number",
    "float_parsing": "should be a number",
    "string_type": "should be text; YAML takes no, on, 7 and 2026-01-01 for something else unless they are quoted",
}
_ADAPTER = TypeAdapter(Config)
_KEYS = _all_keys(Config())
