"""The configuration of the run that a fit is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from digits_ray.config import FLAG_OF_SETTING, Config, load_config
from digits_ray.errors import UserError

PARAMETER_OF_SETTING = {
    "preset": "preset",
    "members.count": "members",
    "members.refit_on_all": "refit_on_all",
    "seed": "random_state",
    "out": "out",
    "resources.address": "address",
}
_NO_BASELINES = "baselines.enabled"
_OF_FILES = ("data.train", "data.test", "data.holdout", "split.groups")
_SEEDS = 2**31  # that a random state draws from


def run_config(parameters: Mapping[str, Any]) -> Config:
    """Returns the configuration of a fit, whose `out` is the estimator's; the classical baselines are not searched.

    Args:
        parameters: Of the estimator, by name.

    Raises:
        UserError: a parameter or setting has a value of the wrong kind.
    """
    values, texts = _split(parameters["settings"])
    flags = {
        "members.count": _plain(parameters["members"]),
        "members.refit_on_all": _plain(parameters["refit_on_all"]),
        "seed": seed_of(parameters["random_state"]),
        "resources.address": parameters["address"],
        "out": parameters["out"],
        _NO_BASELINES: False,
        **values,
    }
    try:
        return load_config(parameters["preset"], flags=flags, settings=texts, arrays=True)
    except UserError as error:
        raise UserError(_with_parameters(str(error))) from None


def seed_of(random_state: Any) -> int:
    """Returns the run's seed: a whole number as it is, otherwise one that is drawn, as scikit-learn's estimators do.

    Raises:
        ValueError: it is none of what scikit-learn takes.
    """
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(_SEEDS))


def _split(settings: Any) -> tuple[dict[str, Any], list[str]]:
    """Returns the settings that are values, and those that are text to be read as YAML, as `--set` takes them."""
    if settings is None:
        return {}, []
    if not isinstance(settings, Mapping):
        example = "{'members.recipe.epochs': 3}"
        raise UserError(f"settings={settings!r}: a mapping of dotted keys is expected, e.g. {example}.")
    for key in settings:
        _refuse_fixed(str(key))
    texts = {key: value for key, value in settings.items() if value is None or isinstance(value, str)}
    values = {str(key): _plain(value) for key, value in settings.items() if key not in texts}
    return values, [f"{key}={'null' if value is None else value}" for key, value in texts.items()]


def _refuse_fixed(key: str) -> None:
    """Raises UserError for a setting that the estimator gives itself, or a group that holds one."""
    for setting, parameter in PARAMETER_OF_SETTING.items():
        if f"{setting}.".startswith(f"{key}."):
            raise UserError(f"settings: {key!r} gives {setting}, a parameter of its own. Use {parameter}.")
    if key in _OF_FILES:
        raise UserError(f"settings: {key!r} is of no use: a fit is given X and y, and reads no file. Leave it out.")
    if f"{_NO_BASELINES}.".startswith(f"{key}."):
        raise UserError(f"settings: {key!r} is of no use: an estimator searches no baselines. Leave it out.")


def _with_parameters(message: str) -> str:
    """Returns a message with the estimator's parameters where it names flags of the command line."""
    for setting, flag in FLAG_OF_SETTING.items():
        message = message.replace(f"{flag} ({setting})", PARAMETER_OF_SETTING.get(setting, setting))
    return message


def _plain(value: Any) -> Any:
    """Returns a number of NumPy's, as a search over `np.arange` gives it, as Python's."""
    return value.item() if isinstance(value, np.generic) else value
