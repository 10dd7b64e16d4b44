"""A `Config` from nested mappings, and back into mappings and YAML."""

import json
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from digits_ray.config.schema import Config
from digits_ray.config.validation_errors import error_text
from digits_ray.errors import UserError

_ADAPTER = TypeAdapter(Config)


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Builds a `Config` from nested mappings, as YAML gives them.

    Raises:
        UserError: one line that names the key, the value received and the cure.
    """
    try:
        return _ADAPTER.validate_python(dict(values))
    except ValidationError as error:
        raise UserError(error_text(error)) from None


def config_to_dict(config: Config) -> dict[str, Any]:
    """Returns the configuration as plain nested mappings, lists and numbers."""
    return json.loads(_ADAPTER.dump_json(config))


def config_to_yaml(config: Config) -> str:
    """Returns the configuration as YAML that `load_config` reads again."""
    return yaml.safe_dump(config_to_dict(config), sort_keys=False, allow_unicode=True)
