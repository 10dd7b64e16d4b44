"""Below which confidence a label is better left blank."""

import math
from dataclasses import dataclass

import numpy as np

from digits_ray.errors import UserError

RISK = 0.05  # of a lower bound that is too high: one-sided bounds of 95 %


@dataclass(frozen=True)
class Acceptance:
    """The confidence from which on a label is given, and the held-out rows that reach it."""

    confidence: float  # probability of the top class, 0 … 1
    rows: int
    correct: int  # of these rows
    accuracy_bound: float  # one-sided 95 % lower bound of their accuracy


def lowest_acceptance(proba: np.ndarray, labels: np.ndarray, accuracy: float) -> Acceptance:
    """Finds the smallest confidence whose rows are shown to be right often enough.

    Selective classification (Geifman and El-Yaniv 2017, arXiv:1705.08500), with the bound of Clopper and Pearson 1934.
    The bound is that of one confidence; the smallest of many was chosen by the same rows.

    Args:
        proba: (rows, classes), of rows that the models never saw.
        labels: (rows,) int.
        accuracy: That the lower bound has to reach, between 0 and 1.

    Raises:
        UserError: the accuracy is none, or no confidence reaches it.
    """
    if not 0 < accuracy < 1:
        raise UserError(f"abstaining below accuracy {accuracy:g}: it lies between 0 and 1. For 99.9 % give 0.999.")
    confidence = proba.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    confidence, correct = confidence[order], (proba.argmax(axis=1) == labels)[order].cumsum()
    ends = np.flatnonzero(np.diff(confidence, append=-np.inf))  # equal confidences are accepted together
    bounds = lower_bounds(correct[ends], ends + 1)
    reached = np.flatnonzero(bounds >= accuracy)
    if not len(reached):
        raise UserError(_refusal(accuracy, len(labels), bounds))
    last = reached[-1]
    end = ends[last]
    return Acceptance(float(confidence[end]), int(end) + 1, int(correct[end]), float(bounds[last]))


def lower_bounds(correct: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns one-sided 95 % lower bounds of accuracies (Clopper and Pearson 1934), (counts,) float.

    Args:
        correct: (counts,) int.
        rows: (counts,) int, 1 or more.
    """
    from scipy.stats import beta  # seconds to import

    bounds = beta.ppf(RISK, np.maximum(correct, 1), rows - correct + 1)
    return np.where(correct > 0, bounds, 0.0)


def _refusal(accuracy: float, rows: int, bounds: np.ndarray) -> str:
    needed = math.ceil(math.log(RISK) / math.log(accuracy))
    highest = math.floor(10_000 * bounds.max(initial=0)) / 10_000
    text = f"abstaining below accuracy {accuracy:g}: the {rows:,} held-out rows show it at no confidence"
    more = f" It takes {needed:,} rows without a mistake." if rows < needed else ""
    return f"{text} (one-sided 95 % bound), {highest:g} at most.{more}"
