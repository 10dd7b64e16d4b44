"""How accurate the ensemble is with 1, 2, … members: a pure function of arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from digits_ray.ensemble import Prediction
from digits_ray.report.statistics import matching_positions

ORDERS = 20  # random orders in which members join the ensemble, at least
ORDER_ROWS = 20_000  # rows that these orders are scored on, at most; more only cost memory
ORDER_VOTES = 2_000_000  # rows × members, at most: 80 MB for ten classes


@dataclass(frozen=True)
class SizeCurve:
    """Accuracy of ensembles of 1, 2, … members, over random orders in which members join."""

    sizes: np.ndarray  # (members,) int
    mean: np.ndarray  # (members,) accuracy
    low: np.ndarray  # (members,) the worst order's
    high: np.ndarray  # (members,) the best order's
    orders: int
    rows: int


def accuracy_by_size(
    predictions: Iterable[Prediction], members: int, row_ids: np.ndarray, labels: np.ndarray, seed: int = 0
) -> SizeCurve:
    """Scores soft votes of the first 1, 2, … members, in random orders.

    With k folds a small ensemble scores only the rows that one of its members never saw; its accuracy is over those.

    Args:
        predictions: The members', read one at a time.
        members: Their number.
        row_ids: (rows,) int64, ascending.
        labels: (rows,) int, the classes of these rows.
        seed: Of the orders, and of the choice of rows when there are too many for memory.
    """
    rng, most = np.random.default_rng(seed), min(ORDER_ROWS, ORDER_VOTES // members)
    if len(row_ids) > most:
        chosen = np.sort(rng.choice(len(row_ids), most, replace=False))
        row_ids, labels = row_ids[chosen], labels[chosen]
    votes = [_votes(prediction, row_ids) for prediction in predictions]
    orders = _orders(members, rng)
    curves = np.array([_accuracy_curve([votes[member] for member in order], labels) for order in orders])
    sizes = np.arange(1, members + 1)
    return SizeCurve(sizes, curves.mean(axis=0), curves.min(axis=0), curves.max(axis=0), len(orders), len(row_ids))


def _orders(members: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns orders, (members,) int each, in which each member is first equally often: the curve begins at their mean.

    Of 40 members or more only some are ever first: as many orders as members would take too long.
    """
    if members == 1:
        return [np.zeros(1, np.int64)]
    shuffled = [rng.permutation(members) for _ in range(-(-ORDERS // members))]
    shifts = range(0, members, max(1, members // ORDERS))
    return [np.roll(order, shift) for order in shuffled for shift in shifts]


def _votes(prediction: Prediction, row_ids: np.ndarray) -> np.ndarray:
    """Returns a model's held-out probabilities, (rows, classes) float32, zeros where it did not score."""
    votes = np.zeros((len(row_ids), prediction.holdout_proba.shape[1]), np.float32)
    positions, scored = matching_positions(row_ids, prediction.holdout_row_ids)
    votes[positions] = prediction.holdout_proba[scored]
    return votes


def _accuracy_curve(votes: Sequence[np.ndarray], labels: np.ndarray) -> list[float]:
    """Returns the accuracy of the sum of the first 1, 2, … votes on the rows that any of them scored."""
    total, curve = np.zeros_like(votes[0]), []
    for vote in votes:
        total += vote
        scored = total.any(axis=1)
        curve.append(float((total.argmax(axis=1) == labels)[scored].mean()))
    return curve
