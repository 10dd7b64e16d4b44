"""Prediction sets: which classes are in them, and how often the true one is."""

from collections.abc import Callable

import numpy as np
import pytest

from digits_ray.ensemble import conformal
from digits_ray.ensemble.predictions import label_proba
from digits_ray.errors import UserError

SIMULATIONS = 3000


def proba_of(own: list[float]) -> np.ndarray:
    """Probabilities of two classes, of rows of class 0."""
    return np.array([[p, 1 - p] for p in own], np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (exp / exp.sum(axis=-1, keepdims=True)).astype(np.float32)


# Split conformal


def test_the_threshold_is_the_quantile_with_its_correction_for_a_new_row() -> None:
    proba = proba_of([0.9, 0.3, 0.8, 0.6, 0.7, 0.95, 0.5, 0.85, 0.75])
    labels = np.zeros(9, int)
    assert conformal.calibrate(proba, labels, 0.8) == pytest.approx(0.5)  # the ⌈10 · 0.8⌉ = 8th from the top
    assert conformal.calibrate(proba, labels, 0.9) == pytest.approx(0.3)
    assert conformal.calibrate(proba, labels, 0.81) == pytest.approx(0.3)


def test_a_level_is_a_decimal_number_not_its_rounding_in_binary() -> None:
    own = np.arange(1, 100) / 100
    assert 100 * 0.07 > 7
    assert conformal.calibrate(proba_of(own.tolist()), np.zeros(99, int), 0.07) == pytest.approx(own[-7])


def test_a_set_holds_each_class_from_the_threshold_on_and_always_the_likeliest() -> None:
    proba = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.4, 0.35, 0.25]], np.float32)
    assert conformal.sets(proba, 0.3).tolist() == [[True, True, False], [False, False, True], [True, True, False]]
    assert conformal.sets(proba, 0.9).sum(axis=1).tolist() == [1, 1, 1]
    assert conformal.sets(np.full((1, 3), 1 / 3, np.float32), 0.9).tolist() == [[True, False, False]]


def test_one_class_is_every_row_s_set() -> None:
    proba = np.ones((9, 1), np.float32)
    assert conformal.calibrate(proba, np.zeros(9, int), 0.9) == 1
    assert conformal.sets(proba, 1.0).all()


@pytest.mark.parametrize(("level", "rank"), [(0.5, 6), (0.8, 9), (0.9, 10)])
def test_new_rows_are_covered_at_least_as_often_as_the_level_says(level: float, rank: int) -> None:
    """Ten rows calibrate: the coverage is rank / 11 exactly, and 1 / 11 below it without the correction for a new row.

    Many classes and no skill: the likeliest class is seldom the true one, so having it in the set adds next to nothing.
    """
    rng = np.random.default_rng(0)
    classes, rows, covered = 200, 10, 0
    for _ in range(SIMULATIONS):
        proba = softmax(rng.normal(0, 1, (rows + 1, classes)))
        labels = rng.integers(0, classes, rows + 1)
        threshold = conformal.calibrate(proba[:rows], labels[:rows], level)
        covered += conformal.sets(proba[rows:], threshold)[0, labels[rows]]
    four_sigma = 4 * np.sqrt(level * (1 - level) / SIMULATIONS)
    assert rank / 11 >= level > (rank - 1) / 11
    assert abs(covered / SIMULATIONS - rank / 11) <= four_sigma < 0.5 / 11


@pytest.mark.parametrize("rows", [1, 7, 98, 99, 998, 4200])
def test_a_level_for_which_there_are_too_few_rows_is_refused_with_one_that_works(rows: int) -> None:
    proba, labels = proba_of([0.9] * rows), np.zeros(rows, int)
    with pytest.raises(UserError, match=f"9,999 held-out rows, and there are {rows:,}") as refused:
        conformal.calibrate(proba, labels, 0.9999)
    highest = float(str(refused.value).split("rows, and there are")[1].split()[1])
    assert conformal.calibrate(proba, labels, highest) == pytest.approx(0.9)


def test_99_rows_are_enough_for_99_percent_and_98_are_not() -> None:
    conformal.check_level(0.99, 99)
    with pytest.raises(UserError, match="they take 99 held-out rows, and there are 98"):
        conformal.check_level(0.99, 98)


@pytest.mark.parametrize("level", [0.0, 1.0, 99.0, -0.5, float("nan"), float("inf")])
def test_what_is_no_level_is_refused(level: float) -> None:
    with pytest.raises(UserError, match="a level lies between 0 and 1"):
        conformal.check_level(level, 1000)


# CV+


@pytest.mark.parametrize("decimals", [9, 1], ids=["all differ", "many are equal"])
def test_a_single_fold_is_a_split(decimals: int) -> None:
    rng = np.random.default_rng(1)
    proba, new = (softmax(rng.normal(0, 2, (rows, 5))).round(decimals) for rows in (300, 50))
    labels = rng.integers(0, 5, 300)
    for level in (0.3, 0.9, 0.99):
        split = conformal.sets(new, conformal.calibrate(proba, labels, level))
        assert (conformal.cross_sets(new[None], [label_proba(proba, labels)], new, level) == split).all()


def test_each_class_is_compared_with_each_held_out_row_by_the_models_that_held_it_out() -> None:
    rng = np.random.default_rng(2)
    fold_proba, vote = softmax(rng.normal(0, 1, (3, 20, 4))), softmax(rng.normal(0, 1, (20, 4)))
    held_out = [rng.uniform(0, 1, rows).astype(np.float32) for rows in (5, 6, 8)]
    found = conformal.cross_sets(fold_proba, held_out, vote, 0.7)
    for row, label in np.ndindex(vote.shape):  # Romano et al. 2020, equation 11, as it is written
        lower_score = sum(1 - p < 1 - fold_proba[k, row, label] for k in range(3) for p in held_out[k])
        assert found[row, label] == (lower_score < 0.7 * 20 or label == vote[row].argmax())


def nearest_means(images: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Trains a model in a moment: the nearer a class's mean image, the likelier the class."""
    means = np.stack([images[labels == label].mean(axis=0) for label in range(4)])
    return lambda new: softmax(-((new[:, None] - means) ** 2).sum(axis=2))


def test_folds_cover_new_rows_about_as_often_as_the_level_says() -> None:
    """Five folds of 20 rows, of four classes that overlap; each fold's model is trained on the other folds."""
    rng = np.random.default_rng(3)
    level, folds, simulations, new_rows = 0.9, np.arange(100) % 5, 200, 50
    centres = rng.normal(0, 1, (4, 3))
    covered = []
    for _ in range(simulations):
        labels = np.concatenate([np.arange(100) // 5 % 4, rng.integers(0, 4, new_rows)])  # each class in each fold
        images = centres[labels] + rng.normal(0, 1.3, (len(labels), 3))
        new, truth = images[100:], labels[100:]
        models = [nearest_means(images[:100][folds != k], labels[:100][folds != k]) for k in range(5)]
        held_out = [label_proba(models[k](images[:100][folds == k]), labels[:100][folds == k]) for k in range(5)]
        votes = np.stack([model(new) for model in models])
        covered.append(
            conformal.cross_sets(votes, held_out, votes.mean(axis=0), level)[np.arange(new_rows), truth].mean()
        )
    coverage, error = np.mean(covered), np.std(covered) / np.sqrt(simulations)
    assert coverage >= conformal.guaranteed_coverage(level, [20] * 5)
    assert coverage >= level - 4 * error and coverage <= level + 0.02 + 4 * error
    assert error < 0.005


def test_what_is_guaranteed_is_the_level_for_a_split_and_less_for_folds() -> None:
    assert conformal.guaranteed_coverage(0.99, [4200]) == 0.99
    assert conformal.guaranteed_coverage(0.99, [4200] * 10) == pytest.approx(0.98, abs=0.0005)
    assert conformal.guaranteed_coverage(0.99, [4200] * 10) < 0.98
    assert conformal.guaranteed_coverage(0.5, [2, 2]) == 0
