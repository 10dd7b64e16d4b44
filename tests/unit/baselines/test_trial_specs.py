"""What is searched: the grid, and the keys of its trials."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from classical import data_of, spec_of

from digits_ray.baselines.trial_specs import TrialSpec, baseline_specs
from digits_ray.config import config_from_dict
from digits_ray.config.baselines_schema import TREES, BaselinesConfig, ForestSpace, KnnSpace
from digits_ray.config.schema import Config
from digits_ray.data import Data
from digits_ray.errors import UserError


def test_the_notebook_space_is_exactly_the_notebooks_grid() -> None:
    config = Config(baselines=BaselinesConfig(space="notebook"))
    knn, tree, forest = baseline_specs(config, data_of(side=28), 1000)
    assert [trial.params for trial in knn.trials] == [{"metric": "euclidean", "deskew": False, "pca": 0}]
    assert knn.trials[0].sweep == {"n_neighbors": list(range(1, 20, 2)), "weights": ["uniform"]}
    assert [trial.params for trial in tree.trials] == [{"deskew": False, "min_samples_leaf": 1}]
    assert forest.trials[0].sweep == {"trees": list(TREES)}
    assert len(forest.trials) == 1
    assert forest.trials[0].params["kind"] == "random_forest"
    assert forest.trials[0].seed == 0


def test_a_trials_key_depends_on_everything_that_its_scores_depend_on() -> None:
    trial = spec_of("knn").trials[0]
    changed: list[dict[str, Any]] = [
        {"params": {**trial.params, "pca": 3}}, {"sweep": {"n_neighbors": [1]}}, {"seed": 1}, {"validation": 0.2},
    ]  # fmt: skip
    assert len({trial.key, *(replace(trial, **change).key for change in changed)}) == 5
    assert TrialSpec(**vars(trial)).key == trial.key


def test_the_default_space_is_cut_to_what_small_data_can_bear() -> None:
    spec = spec_of("knn", data=data_of(side=6), rows=12)
    assert {trial.params["pca"] for trial in spec.trials} == {0}
    assert max(spec.trials[0].sweep["n_neighbors"]) == 11


@pytest.mark.parametrize(
    ("baselines", "message"),
    [
        ({"knn": {"metric": ["euclidian"]}}, "baselines.knn.metric"),
        ({"knn": {"n_neighbors": []}}, "baselines.knn.n_neighbors"),
        ({"forest": {"trees": [0]}}, "baselines.forest.trees"),
        ({"space": "wide"}, "baselines.space"),
        ({"space": "notebook", "forest": {"trees": [10]}}, "its own forest grid"),
    ],
)
def test_a_bad_space_is_refused_by_name(baselines: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config_from_dict({"baselines": baselines})


def test_only_forests_of_several_sizes_can_be_stopped_early() -> None:
    assert len(spec_of("forest").trials[0].sweep["trees"]) > 1
    assert "trees" not in spec_of("knn").trials[0].sweep
    small = spec_of("forest", Config(baselines=BaselinesConfig(forest=ForestSpace(trees=(50, 20)))))
    assert small.trials[0].sweep == {"trees": [20, 50]}


def in_colour(side: int = 8) -> Data:
    grey = data_of(side=side)
    images, test_images = (np.stack([part] * 3, axis=-1) for part in (grey.images, grey.test_images))
    return replace(grey, images=images, test_images=test_images)


def test_colour_images_are_not_deskewed_and_all_their_values_are_features() -> None:
    space = KnnSpace(pca=(100,), n_neighbors=(1,))
    specs = baseline_specs(Config(baselines=BaselinesConfig(knn=space)), in_colour(), 1000)
    assert {trial.params["deskew"] for spec in specs for trial in spec.trials} == {False}
    assert {trial.params["pca"] for trial in specs[0].trials} == {100}


def test_deskewing_colour_images_is_refused_where_it_was_asked_for() -> None:
    config = Config(baselines=BaselinesConfig(forest=ForestSpace(deskew=(True,))))
    with pytest.raises(UserError, match=r"baselines.forest.deskew: true alone, but these images are in colour"):
        baseline_specs(config, in_colour(), 1000)
