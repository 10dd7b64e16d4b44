"""By how much two models' accuracies differ on the same rows, and how sure that is."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from digits_ray.ensemble.metrics import accuracy_ci95, check_outcomes


@dataclass(frozen=True)
class PairedDifference:
    """By how much the accuracies of two models on the same rows differ."""

    difference: float  # of the first and the second, -1 … 1
    ci95: tuple[float, float]  # Newcombe's method 10


def paired_difference(correct_a: np.ndarray, correct_b: np.ndarray) -> PairedDifference:
    """Returns the difference of two models' accuracies on the same rows, with its 95 % interval.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17:2635, method 10: the Wilson intervals of both accuracies, joined by their
    correlation with a continuity correction.

    Args:
        correct_a: (rows,) bool, where model a is right.
        correct_b: (rows,) bool, where model b is right, in the same row order.

    Raises:
        ValueError: no rows, unequal shapes, or arrays that are not bool.
    """
    check_outcomes(correct_a, correct_b)
    rows, right_a, right_b = len(correct_a), int(correct_a.sum()), int(correct_b.sum())
    a, b = right_a / rows, right_b / rows
    (low_a, high_a), (low_b, high_b) = accuracy_ci95(right_a, rows), accuracy_ci95(right_b, rows)
    correlation = _newcombe_correlation(correct_a, correct_b)

    def reach(lower: float, upper: float) -> float:
        return sqrt(max(0.0, lower**2 - 2 * correlation * lower * upper + upper**2))

    return PairedDifference(a - b, (a - b - reach(a - low_a, high_b - b), a - b + reach(b - low_b, high_a - a)))


def _newcombe_correlation(correct_a: np.ndarray, correct_b: np.ndarray) -> float:
    """Returns the correlation (phi) of two models' outcomes, as method 10 corrects it."""
    rows, right_a, right_b = len(correct_a), int(correct_a.sum()), int(correct_b.sum())
    margins = right_a * (rows - right_a) * right_b * (rows - right_b)
    if margins == 0:
        return 0.0
    both, neither = int((correct_a & correct_b).sum()), int((~correct_a & ~correct_b).sum())
    product = both * neither - (right_a - both) * (right_b - both)
    return (max(product - rows / 2, 0.0) if product > 0 else product) / sqrt(margins)
