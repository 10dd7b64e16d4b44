"""From the estimator's parameters to the configuration of a run."""

from typing import Any

import numpy as np
import pytest

from digits_ray import EnsembleClassifier
from digits_ray.config import Config, find_preset
from digits_ray.errors import UserError
from digits_ray.estimator.run_settings import run_config, seed_of


def config_of(**parameters: Any) -> Config:
    return run_config(EnsembleClassifier(**parameters).get_params(deep=False))


def test_parameters_are_the_settings_of_these_names() -> None:
    config = config_of(members=3, preset="smoke", random_state=7, refit_on_all=True, address="head:6379")
    assert (config.members.count, config.preset, config.seed) == (3, "smoke", 7)
    assert config.members.refit_on_all
    assert config.resources.address == "head:6379"


def test_baselines_are_not_searched() -> None:
    assert not config_of().baselines.enabled


def test_the_preset_s_recipe_is_that_for_the_user_s_own_images_not_for_the_built_in_ones() -> None:
    own = find_preset("fast").settings(built_in_digits=False)
    assert list(config_of(preset="fast").members.architectures) == own["members"]["architectures"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("members.recipe.epochs", 3, 3),
        ("members.recipe.epochs", np.int64(3), 3),
        ("members.recipe.epochs", "3", 3),
        ("members.recipe.learning_rate", np.float64(0.5), 0.5),
        ("members.architectures", ["compact", "notebook"], ("compact", "notebook")),
        ("members.architectures", ("compact", "notebook"), ("compact", "notebook")),
        ("members.architectures", "[compact, notebook]", ("compact", "notebook")),
        ("members.recipe.augmentation", {"rotation": 0}, 0),
    ],
)
def test_settings_are_values_or_text_as_set_takes_it(key: str, value: Any, expected: Any) -> None:
    group: Any = config_of(settings={key: value})
    for name in key.split("."):
        group = getattr(group, name)
    assert (group.rotation if isinstance(value, dict) else group) == expected


def test_none_is_a_value_of_a_setting() -> None:
    assert config_of(settings={"submission.label_column": None}).submission.label_column is None


@pytest.mark.parametrize("key", ["data.train", "data.test", "data.holdout", "split.groups"])
def test_what_a_file_would_give_is_refused_with_a_cure_that_works(key: str) -> None:
    with pytest.raises(UserError, match=f"settings: '{key}' is of no use: a fit is given X and y"):
        config_of(settings={key: "more.csv"})


@pytest.mark.parametrize("number", [7, np.int64(7), np.uint8(7)], ids=type)
def test_a_whole_number_is_the_seed_itself(number: Any) -> None:
    assert seed_of(number) == 7


def test_a_random_state_gives_another_seed_each_time() -> None:
    state = np.random.RandomState(0)
    assert len({seed_of(state) for _ in range(5)}) == 5


def test_none_draws_from_numpy_s_own_state_as_scikit_learn_does() -> None:
    state = np.random.get_state()
    np.random.seed(0)
    first = seed_of(None)
    np.random.seed(0)
    assert seed_of(None) == first
    np.random.set_state(state)
