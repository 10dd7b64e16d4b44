"""Which rows are worth looking at: the disputed, the confidently wrong, the doubtful labels, the unsure ones.

Each function takes the ensemble's probabilities, (rows, classes) with rows that sum to 1, and gives positions in
them, the most telling first.
"""

import numpy as np


def most_disputed(proba: np.ndarray, disagreement: np.ndarray, limit: int) -> np.ndarray:
    """Returns rows whose members disagree, the widest disagreement first, then the smallest lead of the winner.

    Args:
        proba: (rows, classes).
        disagreement: (rows,) part of the members whose top class is not the ensemble's.
        limit: How many at most.
    """
    order = np.lexsort((_lead(proba), -disagreement))
    return order[disagreement[order] > 0][:limit]


def confident_mistakes(proba: np.ndarray, labels: np.ndarray, limit: int) -> np.ndarray:
    """Returns wrong rows, the surest first; `labels` is (rows,) int."""
    wrong = np.flatnonzero(proba.argmax(axis=1) != labels)
    return wrong[np.argsort(-proba[wrong].max(axis=1), kind="stable")][:limit]


def likely_wrong_labels(proba: np.ndarray, labels: np.ndarray, limit: int) -> np.ndarray:
    """Returns rows that confidently belong to another class than their label says.

    Confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068, section 3.1): a row is suspected when the
    probability of its top class reaches that class's threshold, the mean probability of the class among rows that
    carry it as label, and the label is another class.

    Args:
        proba: (rows, classes), of models that never saw the rows.
        labels: (rows,) int.
        limit: How many at most.
    """
    top = proba.argmax(axis=1)
    suspected = np.flatnonzero((top != labels) & (proba.max(axis=1) >= _thresholds(proba, labels)[top]))
    return suspected[np.argsort(_of(proba, labels)[suspected] - proba[suspected].max(axis=1), kind="stable")][:limit]


def least_sure(proba: np.ndarray, limit: int) -> np.ndarray:
    """Returns the rows with the lowest top probability, the lowest first."""
    return np.argsort(proba.max(axis=1), kind="stable")[:limit]


def _thresholds(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns (classes,) mean probability of each class among its own rows; infinite for a class without rows."""
    rows = np.bincount(labels, minlength=proba.shape[1])
    total = np.bincount(labels, weights=_of(proba, labels), minlength=proba.shape[1])
    return np.where(rows > 0, total / np.maximum(rows, 1), np.inf)


def _of(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return proba[np.arange(len(labels)), labels]


def _lead(proba: np.ndarray) -> np.ndarray:
    """Returns by how much the top class leads the second, (rows,)."""
    first_two = np.sort(proba, axis=1)[:, -2:]
    return first_two[:, 1] - first_two[:, 0]
