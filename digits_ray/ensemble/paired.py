"""Two models compared on the same rows: how far their accuracies differ, how sure that is, and whether by chance."""

from dataclasses import dataclass

import numpy as np

from digits_ray.ensemble.metrics import mcnemar


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Models a and b on the same rows."""

    rows: int
    difference: float  # accuracy of a minus that of b, -1 … 1
    difference_ci95: tuple[float, float]  # exact; without 0 just where p_value is below 0.05
    only_a_right: int  # rows
    only_b_right: int  # rows
    p_value: float  # of "equally accurate", McNemar's exact test, two-sided


def compare_paired(correct_a: np.ndarray, correct_b: np.ndarray) -> PairedComparison:
    """Compares two models on the same rows.

    McNemar's test looks at the rows that only one model has right: is each as likely to have such a row? The interval
    is made of the same: a's part of these rows and their part of all rows, both with their exact limits (Clopper and
    Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial"), joined so that
    the difference reaches as far as both allow. So the two never contradict each other; the interval is, if anything,
    too wide.

    Args:
        correct_a: (rows,) bool, where model a is right.
        correct_b: (rows,) bool, where model b is right, in the same row order.

    Raises:
        ValueError: no rows, unequal shapes, or arrays that are not bool.
    """
    test, rows = mcnemar(correct_a, correct_b), len(correct_a)
    return PairedComparison(
        rows=rows,
        difference=(test.only_a_right - test.only_b_right) / rows,
        difference_ci95=_difference_ci95(test.only_a_right, test.only_b_right, rows),
        only_a_right=test.only_a_right,
        only_b_right=test.only_b_right,
        p_value=test.p_value,
    )


def _difference_ci95(only_a: int, only_b: int, rows: int) -> tuple[float, float]:
    unlike = only_a + only_b
    least_unlike, most_unlike = _exact_ci95(unlike, rows)
    least, most = (2 * part - 1 for part in _exact_ci95(only_a, unlike))  # -1: all such rows are b's, 1: all are a's
    return least * (least_unlike if least > 0 else most_unlike), most * (most_unlike if most > 0 else least_unlike)


def _exact_ci95(count: int, of: int) -> tuple[float, float]:
    """Returns the Clopper–Pearson interval of a proportion; of nothing, that is anything."""
    from scipy.stats import binomtest  # seconds to import

    if of == 0:
        return 0.0, 1.0
    interval = binomtest(count, of).proportion_ci(confidence_level=0.95, method="exact")
    return float(interval.low), float(interval.high)
