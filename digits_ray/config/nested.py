"""Settings as nested mappings, as YAML has them."""

from collections.abc import Mapping
from typing import Any

from digits_ray.errors import UserError


def merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of `base` with those of `over` in their place, group by group."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def set_nested(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets the setting of a dotted key, in place.

    Raises:
        UserError: a part of the key, but the last, is a value and no group.
    """
    *path, last = key.split(".")
    for part in path:
        deeper = values.setdefault(part, {})
        if not isinstance(deeper, dict):
            raise UserError(f"{key}: {part!r} is a value, not a group of settings. Set {part} itself.")
        values = deeper
    values[last] = value
