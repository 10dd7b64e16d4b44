"""Nearest neighbours for every k at once, with the same probabilities as scikit-learn gives for each k alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

TIE = 1e-9  # distances closer than this part of themselves may be a tie; float64 rounding stays far below it


@dataclass(frozen=True)
class KnnPrediction:
    """What one k and weighting predicts."""

    n_neighbors: int
    weights: str  # "uniform" or "distance"
    proba: np.ndarray  # (queries, classes) float64, rows sum to 1


def predict_every_k(
    features: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    metric: str,
    ks: Sequence[int],
    weights: Sequence[str],
) -> Iterator[KnnPrediction]:
    """Searches the neighbours once, for the greatest k, and votes for every k and weighting.

    Which of several training rows at the same distance is the k-th neighbour depends on how scikit-learn searches, and
    for which k. The few queries where that could change the vote are given to scikit-learn itself.

    Args:
        features: (rows, features) float32 of the training rows.
        labels: (rows,) int; every class from 0 on occurs.
        queries: (queries, features) float32.
        metric: As scikit-learn names it.
        ks: Numbers of neighbours, each at most `rows`.
        weights: "uniform", "distance" or both.

    Yields:
        For each weighting, the prediction of each k in ascending order.
    """
    model = KNeighborsClassifier(algorithm="brute", metric=metric).fit(features, labels)
    count = min(max(ks) + 1, len(features))
    distances, neighbours = model.kneighbors(queries, count)
    for weighting in weights:
        for k, proba in _running_means(labels[neighbours], _votes(distances, weighting), max(ks), len(model.classes_)):
            if k in ks:
                tied = _tied(distances, k)
                model.set_params(n_neighbors=k, weights=weighting)
                proba[tied] = _predict_proba(model, queries[tied])
                yield KnnPrediction(k, weighting, proba)


def _running_means(labels: np.ndarray, votes: np.ndarray, most: int, classes: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yields k and the probabilities (queries, classes) of the k nearest, for k from 1 to `most`.

    Args:
        labels: (queries, neighbours) int, the nearest first.
        votes: (queries, neighbours) float64, their weights.
        most: The greatest k.
        classes: Their number.
    """
    total = np.zeros((len(labels), classes))
    for k in range(1, most + 1):
        total[np.arange(len(labels)), labels[:, k - 1]] += votes[:, k - 1]
        yield k, total / total.sum(axis=1, keepdims=True)


def _votes(distances: np.ndarray, weights: str) -> np.ndarray:
    """Returns the weight of each neighbour, (queries, neighbours); see sklearn.neighbors._base._get_weights."""
    if weights == "uniform":
        return np.ones_like(distances)
    same = distances == 0
    with np.errstate(divide="ignore"):
        return np.where(same.any(axis=1, keepdims=True), same, 1 / distances)


def _tied(distances: np.ndarray, k: int) -> np.ndarray:
    """Returns where (queries,) the k-th and the next neighbour are as far, so that either could be the k-th."""
    if k == distances.shape[1]:
        return np.zeros(len(distances), bool)
    last, following = distances[:, k - 1], distances[:, k]
    return following - last <= TIE * following


def _predict_proba(model: Any, queries: np.ndarray) -> np.ndarray:
    """Returns (queries, classes) float64; scikit-learn refuses to be given no rows."""
    return model.predict_proba(queries) if len(queries) else np.empty((0, len(model.classes_)))
