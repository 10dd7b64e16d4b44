"""What pydantic says about a setting, in one line for the user."""

import math
from dataclasses import fields, is_dataclass
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from digits_ray.config.schema import Config
from digits_ray.errors import nearest

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


def error_text(error: ValidationError) -> str:
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
    return f"{name}={_in_yaml(first['input'])}: {', or '.join(dict.fromkeys(same))}."


def _in_yaml(value: Any) -> str:
    """Returns a value as it is written in YAML, null and not None; text in quotes."""
    if isinstance(value, str):
        return repr(value)
    try:
        return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("...\n").strip()
    except yaml.YAMLError:  # of no type of YAML's: from Python
        return repr(value)


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
    "missing": "should be two values, e.g. [28, 28]",  # data.size alone has a number of values
    "too_long": "should be two values, e.g. [28, 28]",
    "too_short": "should not be empty",
    "string_too_short": "should not be empty",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "int_type": "should be a whole number",
    "float_parsing": "should be a number",
    "string_type": "should be text; YAML takes no, on, 7 and 2026-01-01 for something else unless they are quoted",
}
_KEYS = _all_keys(Config())
