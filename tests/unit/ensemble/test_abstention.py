"""Below which confidence labels stay blank."""

import numpy as np
import pytest
from scipy.stats import binomtest

from digits_ray.ensemble.abstention import lower_bounds, lowest_acceptance
from digits_ray.errors import UserError


def rows_of(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes and labels, of rows of class 0 or 1 as they are right."""
    proba = np.array([[p, 1 - p] for p in confidence], np.float32)
    return proba, np.where(right, 0, 1)


def test_the_bound_is_clopper_s_and_pearson_s() -> None:
    counts = [(0, 3), (1, 1), (9, 10), (2995, 2995), (4190, 4200)]
    correct, rows = np.array(counts).T
    exact = [binomtest(k, n, alternative="greater").proportion_ci(0.95, "exact").low for k, n in counts]
    assert lower_bounds(correct, rows) == pytest.approx(exact)


def test_the_smallest_confidence_whose_rows_reach_the_bound_is_found() -> None:
    confidence = np.linspace(0.99, 0.6, 400).tolist()
    right = [row < 300 or row % 2 == 0 for row in range(400)]  # below the 300th row, every other one is wrong
    proba, labels = rows_of(confidence, right)
    accepted = lowest_acceptance(proba, labels, 0.98)
    order = range(1, 401)
    reaching = [n for n in order if lower_bounds(np.array([sum(right[:n])]), np.array([n]))[0] >= 0.98]
    assert accepted.rows == reaching[-1] > 300
    assert accepted.confidence == proba[accepted.rows - 1].max()
    assert accepted.correct == sum(right[: accepted.rows])
    assert accepted.accuracy_bound >= 0.98


def test_rows_of_equal_confidence_are_accepted_together_or_not_at_all() -> None:
    proba, labels = rows_of([1.0] * 200 + [0.8] * 100, [True] * 200 + [True] * 50 + [False] * 50)
    assert lowest_acceptance(proba, labels, 0.98).rows == 200
    proba, labels = rows_of([1.0] * 300, [True] * 250 + [False] * 50)
    with pytest.raises(UserError, match="at no confidence"):
        lowest_acceptance(proba, labels, 0.98)


def test_where_every_row_is_right_and_there_are_enough_none_is_left_blank() -> None:
    proba, labels = rows_of(np.linspace(1, 0.51, 2995).tolist(), [True] * 2995)
    assert lowest_acceptance(proba, labels, 0.999).rows == 2995


def test_too_few_rows_are_refused_with_what_they_show_and_what_it_takes() -> None:
    proba, labels = rows_of([0.9] * 420, [True] * 420)
    with pytest.raises(UserError) as refused:
        lowest_acceptance(proba, labels, 0.999)
    assert "0.9928 at most. It takes 2,995 rows without a mistake." in str(refused.value)
    assert lowest_acceptance(proba, labels, 0.9928).rows == 420


@pytest.mark.parametrize("accuracy", [0.0, 1.0, 99.9, float("nan")])
def test_what_is_no_accuracy_is_refused(accuracy: float) -> None:
    with pytest.raises(UserError, match="it lies between 0 and 1"):
        lowest_acceptance(*rows_of([0.9], [True]), accuracy)


def confidences(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Of a model of 90 % accuracy, most of them near 1."""
    return 1 / (1 + np.exp(-rng.gamma(1.0, 6.0, rows)))


def test_the_accuracy_that_was_asked_for_is_missed_about_as_seldom_as_the_bound_says() -> None:
    """One bound fails in 5 % of cases; here the smallest of many confidences is chosen by the same rows.

    The models are calibrated, so the true accuracy of what is accepted is the mean confidence above the smallest.
    """
    rng, simulations, missed = np.random.default_rng(0), 400, 0
    population = -np.sort(-confidences(rng, 500_000))
    accuracy_above = population.cumsum() / np.arange(1, len(population) + 1)
    for _ in range(simulations):
        confidence = confidences(rng, 1000)
        proba = np.stack([confidence, 1 - confidence], axis=1)
        accepted = lowest_acceptance(proba, np.where(rng.random(1000) < confidence, 0, 1), 0.98)
        missed += accuracy_above[np.searchsorted(-population, -accepted.confidence)] < 0.98
    assert 0.01 < missed / simulations < 0.09
