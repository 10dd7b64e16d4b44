"""How much the baselines count beside the members."""

import numpy as np
import pytest
from factories import CLASSES

from digits_ray.baselines.vote_weights import best_weights, cross_fitted_weights
from digits_ray.config import EnsembleConfig, config_from_dict
from digits_ray.errors import UserError


def proba_of(labels: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    """Probabilities of a model that is right so often, by errors of its own."""
    random = np.random.default_rng(seed)
    guesses = np.where(random.random(len(labels)) < accuracy, labels, (labels + 1) % CLASSES)
    return np.full((len(labels), CLASSES), 0.05) + 0.85 * np.eye(CLASSES)[guesses]


def test_a_baseline_that_helps_gets_a_weight_and_one_that_harms_gets_none() -> None:
    labels = np.arange(3000) % CLASSES
    members = proba_of(labels, 0.9, 1)
    helpful, harmful = best_weights(members, [proba_of(labels, 0.9, 2), proba_of(labels, 0.1, 3)], labels)
    assert helpful > 0
    assert harmful == 0


def test_no_row_helps_to_choose_the_weight_that_it_is_scored_with() -> None:
    labels, folds = np.arange(600) % CLASSES, np.arange(600) % 2
    members, baseline = proba_of(labels, 0.8, 1), proba_of(labels, 0.8, 2)
    by_row, _ = cross_fitted_weights(members, [baseline], labels, folds)
    wrong = baseline.copy()
    wrong[folds == 0] = np.roll(wrong[folds == 0], 1, axis=1)  # whatever its fold holds, its own weight stays
    changed, _ = cross_fitted_weights(members, [wrong], labels, folds)
    assert (changed[0, folds == 0] == by_row[0, folds == 0]).all()
    assert (changed[0, folds == 1] != by_row[0, folds == 1]).any()


def test_a_weight_is_never_chosen_on_the_holdout() -> None:
    with pytest.raises(UserError, match=r"split\.scheme to kfold, or give a number"):
        config_from_dict({"ensemble": {"include_baselines": True}})
    assert config_from_dict(
        {"ensemble": {"include_baselines": True, "baseline_weight": 0.1}}
    ).ensemble == EnsembleConfig(True, 0.1)
    config_from_dict({"ensemble": {"include_baselines": True}, "split": {"scheme": "kfold"}})
