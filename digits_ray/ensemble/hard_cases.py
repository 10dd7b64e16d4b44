"""Which rows are worth looking at: the disputed, the confidently wrong, the doubtful labels, the least sure.

Each function takes the ensemble's probabilities, (rows, classes) with rows that sum to 1, and returns positions of
rows, the most conspicuous first.
"""

import numpy as np

from digits_ray.ensemble.predictions import label_proba


def most_disputed(proba: np.ndarray, disagreement: np.ndarray, limit: int) -> np.ndarray:
    """Finds rows whose members disagree: the widest disagreement first, of equals the smallest margin.

    Args:
        proba: (rows, classes).
        disagreement: (rows,) part of the members whose top class is not the ensemble's, 0 … 1.
        limit: How many rows at most.

    Returns:
        (found,) int64 positions.
    """
    order = np.lexsort((_margin(proba), -disagreement))
    return order[disagreement[order] > 0][:limit]


def confident_mistakes(proba: np.ndarray, labels: np.ndarray, limit: int) -> np.ndarray:
    """Finds rows whose top class is not the label, the highest probability first.

    Args:
        proba: (rows, classes).
        labels: (rows,) int.
        limit: How many rows at most.

    Returns:
        (found,) int64 positions.
    """
    wrong = np.flatnonzero(proba.argmax(axis=1) != labels)
    return wrong[np.argsort(-proba[wrong].max(axis=1), kind="stable")][:limit]


def likely_wrong_labels(proba: np.ndarray, labels: np.ndarray, limit: int) -> np.ndarray:
    """Finds rows that confidently belong to another class than their label says, the surest first.

    Confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068, section 3.1): a row is suspected when the
    probability of its top class reaches that class's threshold, the mean probability of the class among rows that
    carry it as label, and the label is another class.

    Args:
        proba: (rows, classes), of models that never saw the rows.
        labels: (rows,) int.
        limit: How many rows at most.

    Returns:
        (found,) int64 positions.
    """
    top = proba.argmax(axis=1)
    suspected = np.flatnonzero((top != labels) & (proba.max(axis=1) >= _thresholds(proba, labels)[top]))
    lead = proba[suspected].max(axis=1) - label_proba(proba, labels)[suspected]
    return suspected[np.argsort(-lead, kind="stable")][:limit]


def least_sure(proba: np.ndarray, limit: int) -> np.ndarray:
    """Finds the rows with the lowest top probability, the lowest first.

    Args:
        proba: (rows, classes).
        limit: How many rows at most.

    Returns:
        (found,) int64 positions.
    """
    return np.argsort(proba.max(axis=1), kind="stable")[:limit]


def _thresholds(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns (classes,) mean probability of each class among its own rows; infinite for a class without rows."""
    rows = np.bincount(labels, minlength=proba.shape[1])
    total = np.bincount(labels, weights=label_proba(proba, labels), minlength=proba.shape[1])
    return np.where(rows > 0, total / np.maximum(rows, 1), np.inf)


def _margin(proba: np.ndarray) -> np.ndarray:
    """Returns by how much the top class's probability exceeds the second's, (rows,)."""
    first_two = np.sort(proba, axis=1)[:, -2:]
    return first_two[:, 1] - first_two[:, 0]
