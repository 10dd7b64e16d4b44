"""What a run directory records of the settings and data that it was made with, and whether a command's are the same."""

from collections.abc import Mapping
from typing import Any

import yaml

from digits_ray.config import (
    Config,
    complete_data,
    complete_settings,
    config_from_dict,
    config_to_dict,
    config_to_yaml,
    preset_in_full,
    preset_of_0_1_0,
)
from digits_ray.errors import UserError
from digits_ray.storage import layout
from digits_ray.storage.differences import Difference, changes_of_preset, differences, listed, with_values_of_directory
from digits_ray.storage.file_formats import json_bytes, parse_json
from digits_ray.storage.store import Store


class RecordedSettings:
    """config.yaml, data.json and preset.yaml of a run directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def exist(self) -> bool:
        """Returns whether the directory holds a run."""
        return self._store.has(layout.CONFIG)

    def config(self) -> Config:
        """Returns the configuration; settings that were added since have the value that does what was done then.

        Raises:
            UserError: config.yaml is damaged.
        """
        try:
            return config_from_dict(complete_settings(yaml.safe_load(self._store.read(layout.CONFIG))))
        except (yaml.YAMLError, AttributeError, TypeError, ValueError, UserError) as error:
            raise self._damaged(layout.CONFIG, "Restore it from a copy, or choose another --out.") from error

    def data(self) -> dict[str, Any]:
        """Returns the fingerprints of what went in, completed as the configuration is.

        Raises:
            UserError: data.json is missing or damaged.
        """
        data = self.data_or_none()
        if data is None:
            raise self._damaged(layout.DATA, "Run the same `digits-ray run` again: it is written anew.")
        return data

    def data_or_none(self) -> dict[str, Any] | None:
        """Returns what `data` does, or None when data.json is missing or damaged."""
        content = self._store.read_or_none(layout.DATA)
        data = parse_json(content) if content is not None else None
        return complete_data(data) if data is not None else None

    def write(self, config: Config, data: Mapping[str, Any]) -> None:
        """Writes what goes in; config.yaml, which makes it a run directory, last."""
        preset = preset_in_full(config.preset, built_in_digits=config.data.train is None)
        if preset and not self.exist():
            self._store.write(layout.PRESET, yaml.safe_dump(preset, sort_keys=False).encode())
        self._store.write(layout.DATA, json_bytes(data))
        self._store.write(layout.CONFIG, config_to_yaml(config).encode())

    def refuse_others(self, config: Config, data: Mapping[str, Any]) -> None:
        """Raises UserError where a command's settings or data are not those of the directory; some are named."""
        settings = self.differences(config)
        facts = differences(self.data_or_none() or data, complete_data(data), "data")
        of_preset = self.changes_of_preset(settings, config)
        own = [setting for setting in settings if setting not in of_preset] + facts
        if settings or facts:
            raise UserError(
                f"{self._store.uri} holds another run: {listed(own or of_preset)}."
                " Choose another --out, or give the settings and data it was made with."
            )

    def differences(self, config: Config) -> list[Difference]:
        """Returns the settings that a command has otherwise, but for those that are free to change."""
        return differences(config_to_dict(self.config()), config_to_dict(config))

    def changes_of_preset(self, changed: list[Difference], config: Config) -> list[Difference]:
        """Returns the differences that come from a new definition of the preset."""
        return changes_of_preset(changed, self._preset(), config_to_dict(config))

    def _preset(self) -> dict[str, Any] | None:
        """Returns the preset as it was defined when the run was made; None when that is not known."""
        content = self._store.read_or_none(layout.PRESET)
        try:
            preset = preset_of_0_1_0(self.config().preset) if content is None else yaml.safe_load(content)
            return complete_settings(preset) if preset else None
        except (yaml.YAMLError, AttributeError, TypeError, ValueError):
            return None

    def _damaged(self, name: str, cure: str) -> UserError:
        return UserError(f"{self._store.path_of(name)}: missing or damaged. {cure}")


def settings_of_run(out: str, config: Config) -> tuple[Config, str]:
    """Returns a command's configuration with the recipe of its run directory, where only the preset has changed since.

    A later release may define a preset anew. Settings that have the preset's value, in the directory as the preset was
    then and in the command as it is now, were chosen by nobody, so those of the directory count. Where any other
    setting differs, nothing is changed: `RunDirectory.at` refuses the command.

    Args:
        out: The run directory's path or URI; there may be none yet.
        config: The command's.

    Returns:
        The configuration to go on with, and one line on what of it is the directory's; "" when nothing is.

    Raises:
        UserError: the directory's config.yaml is damaged.
    """
    store = Store.at(out)
    recorded = RecordedSettings(store)
    changed = recorded.differences(config) if recorded.exist() else []
    if not changed or recorded.changes_of_preset(changed, config) != changed:
        return config, ""
    origin = f"preset {config.preset!r} has" if config.preset else "the defaults have"
    return config_from_dict(with_values_of_directory(config_to_dict(config), changed)), (
        f"{store.uri} keeps the recipe that it was made with; {origin} changed since:"
        f" {listed(changed)}. Choose another --out for the new recipe."
    )
