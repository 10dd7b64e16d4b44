"""What `run` and `tune` are given in Python: settings or a preset's name, files or arrays."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digits_ray.config import Config, config_from_dict, config_to_dict, load_config
from digits_ray.config.nested import set_nested
from digits_ray.errors import UserError
from digits_ray.runs.inputs import GivenArrays, paths_and_arrays

SETTING_OF_INPUT = {
    "train": "data.train",
    "test": "data.test",
    "holdout": "data.holdout",
    "groups": "split.groups",
}


def config_and_arrays(
    config: Config | str, out: str | Path | None, inputs: Mapping[str, Any]
) -> tuple[Config, GivenArrays]:
    """Returns the settings of a run, with the files that it is given, and its arrays.

    Args:
        config: All settings, or a preset's name. That gets its recipe for files where arrays are given, too.
        out: The run directory; None: that of the settings.
        inputs: `train`, `test`, `holdout` and `groups`, by name, each a path (of `groups`, a name) or arrays.

    Raises:
        UserError: there is no such preset, or the settings do not go together: a training file is given beside a
            preset's settings for other data.
        TypeError: `config` is neither, or `out` is no path.
    """
    paths, arrays = paths_and_arrays(inputs)
    settings = {SETTING_OF_INPUT[name]: path for name, path in paths.items()}
    settings |= {} if out is None else {"out": _as_text(out)}
    if isinstance(config, str):
        return load_config(config, flags=settings, arrays=arrays.train is not None), arrays
    if not isinstance(config, Config):
        raise TypeError(
            f"config={reprlib.repr(config)}: a preset's name is expected, as in run('fast'), or settings, as in "
            "run(load_config('fast', flags={'members.count': 2})). Images are given as train=(images, labels)."
        )
    if "train" in paths and config.preset and config.data.train is None:
        raise UserError(
            f"train={paths['train']!r} is given beside settings with the recipe of {config.preset!r} for other data."
            f" Use run({config.preset!r}, train={paths['train']!r}), or load_config({config.preset!r},"
            f" flags={{'data.train': {paths['train']!r}}})."
        )
    return _with_settings(config, settings), arrays


def _as_text(out: str | Path) -> str:
    if not isinstance(out, str | Path):
        raise TypeError(f"out={out!r}: a path is expected.")
    return str(out)


def _with_settings(config: Config, settings: Mapping[str, str]) -> Config:
    values = config_to_dict(config)
    for setting, value in settings.items():
        set_nested(values, setting, value)
    return config_from_dict(values) if settings else config
