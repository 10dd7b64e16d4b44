"""Which rows are chosen as hard cases."""

import numpy as np

from digits_ray.ensemble import hard_cases


def proba_of(tops: list[int], sure: float = 0.8, classes: int = 3) -> np.ndarray:
    proba = np.full((len(tops), classes), (1 - sure) / (classes - 1), np.float32)
    proba[np.arange(len(tops)), tops] = sure
    return proba


def test_disputed_rows_come_by_disagreement_and_agreed_ones_not_at_all() -> None:
    proba = np.concatenate([proba_of([0], 0.9), proba_of([0], 0.5), proba_of([1, 1], 0.7)])
    assert hard_cases.most_disputed(proba, np.array([0.5, 0.5, 0.0, 0.8]), 9).tolist() == [3, 1, 0]


def test_confident_mistakes_begin_with_the_surest() -> None:
    proba = np.concatenate([proba_of([0], 0.6), proba_of([1], 0.9), proba_of([2], 0.8)])
    assert hard_cases.confident_mistakes(proba, np.array([1, 0, 2]), 9).tolist() == [1, 0]


def test_a_flipped_label_is_suspected_and_a_hesitant_mistake_is_not() -> None:
    tops = [0] * 10 + [1] * 10 + [2] * 10
    proba, labels = proba_of(tops, 0.9), np.array(tops)
    labels[3] = 2  # the ensemble is sure of 0
    proba[15] = [0.45, 0.4, 0.15]  # wrong, but not sure
    assert hard_cases.likely_wrong_labels(proba, labels, 9).tolist() == [3]


def test_the_least_sure_rows_come_first() -> None:
    proba = np.concatenate([proba_of([0], 0.6), proba_of([1], 0.4), proba_of([2], 0.9)])
    assert hard_cases.least_sure(proba, 2).tolist() == [1, 0]
