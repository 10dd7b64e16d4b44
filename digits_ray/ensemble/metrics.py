"""How good probabilities are: accuracy with its interval, calibration, and whether two models differ."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

ECE_BINS = 15  # Guo et al. 2017, section 5
PROBABILITY_FLOOR = 1e-7  # Keras's epsilon: one row costs at most 16.1 nats
ROW_SUM_TOLERANCE = 1e-3  # float32 softmaxes stay far below it, logits and percentages far above


@dataclass(frozen=True)
class Scores:
    """All scores of one model on one set of rows."""

    rows: int
    accuracy: float  # part of the rows whose top class is the label
    accuracy_ci95: tuple[float, float]  # Wilson
    nll: float  # nats per row
    brier: float  # 0 … 2
    ece: float  # 0 … 1
    balanced_accuracy: float | None = None  # mean recall of the classes that have rows; None: before 0.2

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Scores":
        """Reads what metrics.json or a result.json holds, of this release or an earlier one."""
        own = {entry.name: values[entry.name] for entry in fields(cls) if entry.name in values}
        return cls(**own | {"accuracy_ci95": tuple(values["accuracy_ci95"])})


@dataclass(frozen=True)
class Recall:
    """How many rows of one class are recognised as such."""

    rows: int  # of the class
    recall: float | None  # part of them; None without rows
    ci95: tuple[float, float] | None  # Wilson


@dataclass(frozen=True)
class McNemar:
    """Two models compared on the same rows."""

    only_a_right: int  # rows
    only_b_right: int  # rows
    p_value: float  # of "equally accurate", two-sided


def score(proba: np.ndarray, labels: np.ndarray) -> Scores:
    """Scores probabilities against the truth.

    Args:
        proba: (rows, classes) float32, rows sum to 1. A tie for the top goes to the lowest class.
        labels: (rows,) int, 0 … classes - 1.

    Raises:
        ValueError: no rows, rows that are no probabilities (NaN included), or labels that do not match them.
    """
    top = _checked(proba, labels).argmax(axis=1)
    correct = int((top == labels).sum())
    return Scores(
        rows=len(labels),
        accuracy=correct / len(labels),
        accuracy_ci95=accuracy_ci95(correct, len(labels)),
        nll=nll(proba, labels),
        brier=brier(proba, labels),
        ece=ece(proba, labels),
        balanced_accuracy=balanced_accuracy(top, labels),
    )


def balanced_accuracy(top: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean recall of the classes that have rows, which counts a rare class as much as a frequent one.

    Brodersen et al. 2010, "The balanced accuracy and its posterior distribution"; as scikit-learn's
    balanced_accuracy_score.

    Args:
        top: (rows,) int, predicted classes.
        labels: (rows,) int.
    """
    rows = np.bincount(labels)
    return float((np.bincount(labels, top == labels)[rows > 0] / rows[rows > 0]).mean())


def recalls(proba: np.ndarray, labels: np.ndarray) -> list[Recall]:
    """Returns each class's recall with its 95 % interval, in the order of the classes.

    Arguments and errors as for `score`.
    """
    top, classes = _checked(proba, labels).argmax(axis=1), range(proba.shape[1])
    rows = np.bincount(labels, minlength=len(classes)).tolist()
    correct = np.bincount(labels[top == labels], minlength=len(classes)).tolist()
    return [
        Recall(n, right / n, accuracy_ci95(right, n)) if n else Recall(0, None, None)
        for n, right in zip(rows, correct, strict=True)
    ]


def accuracy_ci95(correct: int, rows: int) -> tuple[float, float]:
    """Returns the 95 % interval of an accuracy of `correct` out of `rows` (Wilson 1927, score interval)."""
    from scipy.stats import binomtest  # seconds to import

    if not (rows >= 1 and 0 <= correct <= rows):
        raise ValueError(f"correct={correct}, rows={rows}: needs at least one row, and 0 ≤ correct ≤ rows")
    interval = binomtest(correct, rows).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def nll(proba: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean negative log-likelihood of the labels, in nats per row.

    Probabilities are clipped to PROBABILITY_FLOOR … 1 first, so that a certain and wrong row (a float32
    softmax does reach 0) has a finite cost. Arguments and errors as for `score`.
    """
    of_label = _checked(proba, labels)[np.arange(len(labels)), labels]
    return float(-np.log(of_label.clip(PROBABILITY_FLOOR, 1.0)).mean())


def brier(proba: np.ndarray, labels: np.ndarray) -> float:
    """Returns the multi-class Brier score, 0 (perfect) … 2: squared errors, summed over classes, row mean.

    Brier 1950, "Verification of forecasts expressed in terms of probability". Arguments and
    errors as for `score`.
    """
    errors = _checked(proba, labels)
    errors[np.arange(len(labels)), labels] -= 1.0
    return float(np.square(errors).sum(axis=1).mean())


def ece(proba: np.ndarray, labels: np.ndarray) -> float:
    """Returns the expected calibration error, 0 … 1: |accuracy - confidence| of each bin, weighted by rows.

    Guo et al. 2017 (arXiv:1706.04599), section 2: equal-width bins of the top probability, each open below
    and closed above; empty bins count nothing. Arguments and errors as for `score`.
    """
    proba = _checked(proba, labels)
    confidence = proba.max(axis=1)
    surplus = (proba.argmax(axis=1) == labels) - confidence  # accuracy - confidence, row by row
    edges = np.linspace(0.0, 1.0, ECE_BINS + 1)  # (bins + 1,)
    bins = np.minimum(edges.searchsorted(confidence) - 1, ECE_BINS - 1)  # a float32 "1" may lie above 1
    return float(np.abs(np.bincount(bins, weights=surplus)).sum() / len(labels))


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> McNemar:
    """Tests whether two models are equally accurate on the same rows (McNemar 1947, exact binomial form).

    Args:
        correct_a: (rows,) bool, where model a is right.
        correct_b: (rows,) bool, where model b is right, in the same row order.

    Returns:
        The rows that only one of them has right, and the two-sided p-value; 1.0 when there are none.

    Raises:
        ValueError: no rows, unequal shapes, or arrays that are not bool.
    """
    from scipy.stats import binomtest  # seconds to import

    check_outcomes(correct_a, correct_b)
    only_a, only_b = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    discordant = only_a + only_b
    p_value = float(binomtest(only_a, discordant, p=0.5).pvalue) if discordant else 1.0
    return McNemar(only_a, only_b, p_value)


def check_probabilities(proba: np.ndarray, name: str = "proba") -> None:
    """Refuses arrays that hold no probabilities.

    Args:
        proba: (rows, classes), rows sum to 1.
        name: What the message begins with.

    Raises:
        ValueError: another shape, NaN, infinity, a negative number, or rows that do not sum to 1.
    """
    if proba.ndim != 2:
        raise ValueError(f"{name}: shape {proba.shape}, expected (rows, classes)")
    _refuse(~np.isfinite(proba).all(axis=1), name, "with NaN or infinity")
    _refuse(np.asarray((proba < 0).any(axis=1)), name, "with a negative probability")
    off = np.asarray(np.abs(proba.sum(axis=1, dtype=np.float64) - 1.0) > ROW_SUM_TOLERANCE)
    _refuse(off, name, "not summing to 1. Pass softmax outputs, not logits")


def _refuse(wrong: np.ndarray, name: str, fault: str) -> None:
    """Raises ValueError when the mask (rows,) marks any row, and says how many and which is the first."""
    if wrong.any():
        where = f"{int(wrong.sum())} of {len(wrong)} rows (the first at position {int(wrong.argmax())})"
        raise ValueError(f"{name}: {where} {fault}")


def _checked(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns a float64 copy of `proba` after checking both arrays, (rows, classes) and (rows,) int."""
    check_probabilities(proba)
    if len(proba) == 0:
        raise ValueError("proba: no rows, so there is nothing to score. Pass at least one labelled row")
    if labels.shape != proba.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: {labels.dtype} {labels.shape}, expected integers of shape {proba.shape[:1]}")
    if labels.min() < 0 or labels.max() >= proba.shape[1]:
        raise ValueError(f"labels: {labels.min()} … {labels.max()}, expected 0 … {proba.shape[1] - 1}")
    return proba.astype(np.float64)


def check_outcomes(correct_a: np.ndarray, correct_b: np.ndarray) -> None:
    """Raises ValueError unless both are (rows,) bool of the same rows, one at least."""
    if correct_a.shape != correct_b.shape or correct_a.ndim != 1 or len(correct_a) == 0:
        raise ValueError(f"correct_a {correct_a.shape}, correct_b {correct_b.shape}: expected one and the same (rows,)")
    if correct_a.dtype != bool or correct_b.dtype != bool:
        raise ValueError(f"correct_a {correct_a.dtype}, correct_b {correct_b.dtype}: expected bool, true where right")
