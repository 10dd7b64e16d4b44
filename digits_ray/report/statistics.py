"""The numbers behind the figures: pure functions of arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from digits_ray.ensemble import ECE_BINS, McNemar, Prediction, mcnemar


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width; empty bins are left out."""

    confidence: np.ndarray  # (bins,) mean top probability
    accuracy: np.ndarray  # (bins,)
    rows: np.ndarray  # (bins,) int


@dataclass(frozen=True)
class Mistake:
    """One class taken for another."""

    label: int
    predicted: int
    rows: int  # on which this happened


def class_counts(labels: np.ndarray, folds: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts each class's rows that only train, and those that also (k folds) or only (holdout) score.

    Args:
        labels: (rows,) int.
        folds: (rows,) int, -1 where a row only trains.
        num_classes: Number of classes.

    Returns:
        Two counts, (classes,) int each.
    """
    scored = folds >= 0
    return np.bincount(labels[~scored], minlength=num_classes), np.bincount(labels[scored], minlength=num_classes)


def top_classes(
    prediction: Prediction, row_ids: np.ndarray, part: Literal["holdout", "test"] = "holdout"
) -> np.ndarray:
    """Returns a model's top class of each row, -1 where it did not score the row; (rows,) int.

    Args:
        prediction: The model's.
        row_ids: (rows,) int64, ascending.
        part: Of the prediction.
    """
    scored_ids, proba = prediction.holdout_row_ids, prediction.holdout_proba
    if part == "test":
        scored_ids, proba = prediction.test_row_ids, prediction.test_proba
    top = np.full(len(row_ids), -1)
    positions, scored = matching_positions(row_ids, scored_ids)
    top[positions] = proba[scored].argmax(axis=1)
    return top


def agreement(tops: np.ndarray) -> np.ndarray:
    """Returns for each pair of models the fraction of their common rows with the same top class.

    Args:
        tops: (models, rows) int, -1 where a model did not score.

    Returns:
        (models, models) float, NaN for pairs without a common row.
    """
    matrix = np.full((len(tops), len(tops)), np.nan)
    for number, top in enumerate(tops):
        scored_by_both = (tops >= 0) & (top >= 0)
        common = scored_by_both.sum(axis=1)
        equal = ((tops == top) & scored_by_both).sum(axis=1)
        matrix[number, common > 0] = equal[common > 0] / common[common > 0]
    return matrix


def reliability(proba: np.ndarray, labels: np.ndarray) -> Reliability:
    """Bins rows by top probability as the expected calibration error does (Guo et al. 2017, arXiv:1706.04599).

    Args:
        proba: (rows, classes) float32, rows sum to 1.
        labels: (rows,) int.
    """
    confidence = proba.max(axis=1).astype(np.float64)
    correct = proba.argmax(axis=1) == labels
    bins = np.linspace(0, 1, ECE_BINS + 1).searchsorted(confidence).clip(1, ECE_BINS) - 1
    rows = np.bincount(bins, minlength=ECE_BINS)
    filled = rows > 0
    mean = lambda values: np.bincount(bins, values, ECE_BINS)[filled] / rows[filled]  # noqa: E731
    return Reliability(mean(confidence), mean(correct), rows[filled])


def precision_recall(
    predicted: np.ndarray, labels: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns each class's precision, recall (NaN where undefined) and labelled rows, (classes,) each.

    Args:
        predicted: (rows,) int, top classes.
        labels: (rows,) int.
        num_classes: Number of classes.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, _, rows = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(num_classes), zero_division=np.nan
    )
    return precision, recall, rows


def risk_coverage(proba: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns coverage and accuracy when only the 1, 2, … rows of highest confidence are answered, both (rows,).

    Geifman and El-Yaniv 2017, "Selective classification for deep neural networks" (arXiv:1705.08500).

    Args:
        proba: (rows, classes) float32, rows sum to 1.
        labels: (rows,) int.
    """
    order = np.argsort(-proba.max(axis=1), kind="stable")
    correct = (proba.argmax(axis=1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    return answered / len(labels), correct.cumsum() / answered


def frequent_mistakes(matrix: np.ndarray, limit: int) -> list[Mistake]:
    """Returns the most frequent mistakes of a confusion matrix, the most frequent first.

    Args:
        matrix: (classes, classes) int: labels down, predictions across.
        limit: At most so many.
    """
    mistakes = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return [Mistake(int(a), int(b), int(matrix[a, b])) for a, b in pairs if mistakes[a, b] > 0]


def compare(predicted: np.ndarray, other: np.ndarray, labels: np.ndarray) -> McNemar | None:
    """Compares two models on the rows that both scored; None when there are none.

    Args:
        predicted: (rows,) int, a model's top classes, -1 where it did not score.
        other: (rows,) int, the other model's.
        labels: (rows,) int.
    """
    common = (predicted >= 0) & (other >= 0)
    if not common.any():
        return None
    return mcnemar((predicted == labels)[common], (other == labels)[common])


def matching_positions(row_ids: np.ndarray, other_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of the ids that both have, in the first and in the second.

    Args:
        row_ids: (rows,) int64, unique.
        other_ids: (other_rows,) int64, unique.

    Returns:
        Two arrays, (common_rows,) int64 each, in the order of the ids.
    """
    _, positions, other_positions = np.intersect1d(row_ids, other_ids, assume_unique=True, return_indices=True)
    return positions, other_positions
