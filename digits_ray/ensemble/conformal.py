"""Prediction sets: the classes of each row, as many as it takes to hold the true one as often as is asked for.

A class is scored by 1 − its probability (LAC: Sadinle, Lei and Wasserman 2019, arXiv:1609.00451). Of all scores it
gives the smallest sets on average; scores that sum over classes (APS) give large sets where most rows are certain. A
set always holds the row's most likely class, so it is never empty; that only adds to its coverage.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from digits_ray.ensemble.predictions import label_proba
from digits_ray.errors import UserError


def calibrate(proba: np.ndarray, labels: np.ndarray, level: float) -> float:
    """Returns the probability from which on a class belongs to a row's set: split conformal prediction.

    Angelopoulos and Bates 2021 (arXiv:2107.07511), section 1. New rows from where the given ones come from have their
    class in their set with a probability of at least `level`.

    Args:
        proba: (rows, classes), of rows that the models never saw.
        labels: (rows,) int.
        level: Of the coverage, between 0 and 1.

    Raises:
        UserError: the level is none, or takes more rows.
    """
    return float(np.sort(label_proba(proba, labels))[-_rank(level, len(labels))])


def sets(proba: np.ndarray, threshold: float) -> np.ndarray:
    """Returns which classes are in the set of each row, (rows, classes) bool.

    Args:
        proba: (rows, classes), of new rows, by the models that predicted those that calibrated.
        threshold: From `calibrate`.
    """
    return _with_top_class(proba >= threshold, proba)


def cross_sets(
    fold_proba: np.ndarray, fold_label_proba: Sequence[np.ndarray], vote: np.ndarray, level: float
) -> np.ndarray:
    """Returns which classes are in the set of each row by k folds, (rows, classes) bool: CV+.

    Barber, Candès, Ramdas and Tibshirani 2021 (arXiv:1905.02928); for classes Romano, Sesia and Candès 2020
    (arXiv:2006.02544): a class is compared with each held-out row by the models that held this row out. With a single
    fold it is what `sets` returns. What it guarantees: `guaranteed_coverage`.

    Args:
        fold_proba: (folds, rows, classes), of new rows, by the models of each fold alone.
        fold_label_proba: An array (fold_rows,) for each fold: the probability of each held-out row's own class, by the
            same models.
        vote: (rows, classes), of new rows, by all models: its top class is in the set whatever the folds say.
        level: Of the coverage, between 0 and 1.

    Raises:
        UserError: the level is none, or takes more rows.
    """
    rank = _rank(level, sum(map(len, fold_label_proba)))
    surer = np.zeros(vote.shape, np.int64)  # held-out rows that are surer of their class than a row of this one
    for proba, held_out in zip(fold_proba, fold_label_proba, strict=True):
        surer += len(held_out) - np.sort(held_out).searchsorted(proba, side="right")
    return _with_top_class(surer < rank, vote)


def guaranteed_coverage(level: float, fold_rows: Sequence[int]) -> float:
    """Returns the probability with which a set holds the true class at least, 0 … 1.

    `level` itself for one fold. For k folds 1 − 2α − 2(1 − α)(k − 1)/(n + k), with α = 1 − `level` (Vovk 2015; Gasparin
    and Ramdas 2025, arXiv:2503.01495). Each fold by itself is a split, whatever its models are, and twice a weighted
    mean of p-values is a p-value.

    Args:
        level: Of the coverage, between 0 and 1.
        fold_rows: Held-out rows of each fold.
    """
    folds, rows = len(fold_rows), sum(fold_rows)
    if folds == 1:
        return level
    return max(0.0, 1 - 2 * (1 - level) - 2 * level * (folds - 1) / (rows + folds))


def check_level(level: float, rows: int) -> None:
    """Raises UserError unless the level lies between 0 and 1 and so many held-out rows can calibrate it."""
    _rank(level, rows)


def _rank(level: float, rows: int) -> int:
    """Returns ⌈(rows + 1) · level⌉: which score, counted from the best, is the quantile for a new row."""
    if not 0 < level < 1:
        raise UserError(f"prediction sets at level {level:g}: a level lies between 0 and 1. For 99 % give 0.99.")
    exact = Fraction(repr(float(level)))  # 100 · 0.07 is 7.000000000000001 in floating point, and its ceiling 8
    rank = math.ceil((rows + 1) * exact)
    if rank > rows:
        needed, highest = math.ceil(exact / (1 - exact)), math.floor(10_000 * rows / (rows + 1)) / 10_000
        raise UserError(
            f"prediction sets at level {level:g}: they take {needed:,} held-out rows, and there are {rows:,}. "
            f"{highest:g} is the highest level for so many."
        )
    return rank


def _with_top_class(chosen: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """Returns the sets (rows, classes) with each row's most likely class in them; of equals, the lowest."""
    chosen[np.arange(len(proba)), proba.argmax(axis=1)] = True
    return chosen
