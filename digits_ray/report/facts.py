"""The numbers behind each figure: pure functions of arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from digits_ray.ensemble import ECE_BINS, McNemar, Prediction, mcnemar

ORDERS = 20  # random orders in which members join the ensemble, at least
ORDER_ROWS = 20_000  # rows that these orders are scored on, at most; more only cost memory
ORDER_VOTES = 2_000_000  # rows × members, at most: 80 MB for ten classes


@dataclass(frozen=True)
class Growth:
    """Accuracy of ensembles of 1, 2, … members, over random orders of joining."""

    sizes: np.ndarray  # (members,) int
    mean: np.ndarray  # (members,) accuracy
    low: np.ndarray  # (members,) the worst order's
    high: np.ndarray  # (members,) the best order's
    orders: int
    rows: int


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width; empty bins are left out."""

    confidence: np.ndarray  # (bins,) mean top probability
    accuracy: np.ndarray  # (bins,)
    rows: np.ndarray  # (bins,) int


@dataclass(frozen=True)
class Confusion:
    """One kind of mistake."""

    label: int
    predicted: int
    rows: int


def class_counts(labels: np.ndarray, folds: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns each class's rows that only train, and those that also (k folds) or only (holdout) score.

    Args:
        labels: (rows,) int.
        folds: (rows,) int16, from `data.split`.
        num_classes: Number of classes.

    Returns:
        Twice (classes,) int64.
    """
    scores = folds >= 0
    count = lambda part: np.bincount(part, minlength=num_classes)  # noqa: E731
    return count(labels[~scores]), count(labels[scores])


def aligned(prediction: Prediction, rows: np.ndarray, part: str = "holdout") -> np.ndarray:
    """Returns a model's top class of each row, (rows,) int64, -1 where it did not score the row.

    Args:
        prediction: The model's.
        rows: (rows,) int64 row ids, ascending.
        part: "holdout" or "test".
    """
    ids, proba = getattr(prediction, f"{part}_row_ids"), getattr(prediction, f"{part}_proba")
    top = np.full(len(rows), -1)
    place, known = _places(ids, rows)
    top[place] = proba[known].argmax(axis=1)
    return top


def growth(
    predictions: Iterable[Prediction], members: int, rows: np.ndarray, labels: np.ndarray, seed: int = 0
) -> Growth:
    """Scores soft votes of the first 1, 2, … members, in random orders.

    With k folds a small ensemble scores only the rows that one of its members never saw; its accuracy is over those.

    Args:
        predictions: The members', taken one at a time.
        members: Their number.
        rows: (rows,) int64 row ids, ascending.
        labels: (rows,) int, their classes.
        seed: Of the orders, and of the choice of rows when there are too many for memory.
    """
    rng, most = np.random.default_rng(seed), min(ORDER_ROWS, ORDER_VOTES // members)
    if len(rows) > most:
        chosen = np.sort(rng.choice(len(rows), most, replace=False))
        rows, labels = rows[chosen], labels[chosen]
    votes = [_scattered(prediction, rows) for prediction in predictions]
    orders = _orders(members, rng)
    curves = np.array([_curve([votes[member] for member in order], labels) for order in orders])
    sizes = np.arange(1, members + 1)
    return Growth(sizes, curves.mean(axis=0), curves.min(axis=0), curves.max(axis=0), len(orders), len(rows))


def _orders(members: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns orders of joining in which each member is first equally often, so the curve begins at their mean.

    Of 40 members or more only some are ever first: as many orders as members would take too long.
    """
    if members == 1:
        return [np.zeros(1, np.int64)]
    shuffled = [rng.permutation(members) for _ in range(-(-ORDERS // members))]
    turns = range(0, members, max(1, members // ORDERS))
    return [np.roll(order, turn) for order in shuffled for turn in turns]


def agreement(tops: np.ndarray) -> np.ndarray:
    """Returns for each pair of models the part of their common rows with the same top class, (models, models).

    Args:
        tops: (models, rows) int, -1 where a model did not score. Pairs without a common row get NaN.
    """
    matrix = np.full((len(tops), len(tops)), np.nan)
    for number, top in enumerate(tops):
        common = (tops >= 0) & (top >= 0)
        shared = common.sum(axis=1)
        same = ((tops == top) & common).sum(axis=1)
        matrix[number, shared > 0] = same[shared > 0] / shared[shared > 0]
    return matrix


def reliability(proba: np.ndarray, labels: np.ndarray) -> Reliability:
    """Bins rows by top probability as the expected calibration error does (Guo et al. 2017, arXiv:1706.04599).

    Args:
        proba: (rows, classes), rows sum to 1.
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
    """Returns coverage and accuracy when only the surest 1, 2, … rows are answered, both (rows,).

    Geifman and El-Yaniv 2017, "Selective classification for deep neural networks" (arXiv:1705.08500).
    """
    order = np.argsort(-proba.max(axis=1), kind="stable")
    correct = (proba.argmax(axis=1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    return answered / len(labels), correct.cumsum() / answered


def confusions(matrix: np.ndarray, limit: int) -> list[Confusion]:
    """Returns the most frequent mistakes of a confusion matrix (label, predicted), the most frequent first."""
    mistakes = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return [Confusion(int(a), int(b), int(matrix[a, b])) for a, b in pairs if mistakes[a, b] > 0]


def compare(predicted: np.ndarray, other: np.ndarray, labels: np.ndarray) -> McNemar | None:
    """Compares two models on the rows that both scored; None when there are none.

    Args:
        predicted: (rows,) int, top classes of one; -1: not scored.
        other: (rows,) int, those of the other.
        labels: (rows,) int.
    """
    common = (predicted >= 0) & (other >= 0)
    if not common.any():
        return None
    return mcnemar((predicted == labels)[common], (other == labels)[common])


def _scattered(prediction: Prediction, rows: np.ndarray) -> np.ndarray:
    """Returns (rows, classes) float32, zeros where the model did not score."""
    votes = np.zeros((len(rows), prediction.holdout_proba.shape[1]), np.float32)
    place, known = _places(prediction.holdout_row_ids, rows)
    votes[place] = prediction.holdout_proba[known]
    return votes


def _places(ids: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions in `rows`, and positions in `ids` of the same row."""
    _, place, known = np.intersect1d(rows, ids, assume_unique=True, return_indices=True)
    return place, known


def _curve(votes: Sequence[np.ndarray], labels: np.ndarray) -> list[float]:
    total, curve = np.zeros_like(votes[0]), []
    for vote in votes:
        total += vote
        scored = total.any(axis=1)
        curve.append(float((total.argmax(axis=1) == labels)[scored].mean()))
    return curve
