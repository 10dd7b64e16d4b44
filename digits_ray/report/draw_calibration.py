"""Figures of how far the ensemble's probabilities can be trusted: reliability, and accuracy against coverage."""

import numpy as np
from matplotlib.figure import Figure

from digits_ray.report import statistics
from digits_ray.report.formatting import percent
from digits_ray.report.plotting import BLUE, GREY, HALF, SKY, VERMILLION, Picture, canvas, plain_log


def reliability(proba: np.ndarray, labels: np.ndarray) -> Picture:
    """Confidence against accuracy, with the number of rows below.

    Args:
        proba: (rows, classes) float32, rows sum to 1.
        labels: (rows,) int.
    """
    from sklearn.calibration import CalibrationDisplay

    bins = statistics.reliability(proba, labels)
    figure = Figure(figsize=(HALF, 4.2))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    CalibrationDisplay(100 * bins.accuracy, 100 * bins.confidence, proba.max(axis=1)).plot(
        ax=upper, ref_line=False, color=BLUE, label="predictions", marker="o", ms=4
    )
    upper.plot([0, 100], [0, 100], color=GREY, ls="--", lw=1, label="perfect calibration")
    upper.set(xlabel="", ylabel="accuracy (%)", xlim=(0, 102), ylim=(0, 104))
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    lower.bar(100 * bins.confidence, bins.rows, width=4, color=SKY)
    lower.set_yscale("log")
    lower.set(xlabel="confidence: probability of the top class (%)", ylabel="rows", ylim=(0.7, 1.6 * bins.rows.max()))
    plain_log(lower.yaxis, subs=(1,))
    caption = (
        f"{len(labels):,} held-out rows in bins of confidence. Above the dashed line predictions are "
        "underconfident, below it overconfident."
    )
    return Picture("reliability", "Reliability", caption, f"Reliability diagram. {caption}", figure)


def coverage(proba: np.ndarray, labels: np.ndarray) -> Picture:
    """Accuracy when the least certain images are set aside.

    Args:
        proba: (rows, classes) float32, rows sum to 1.
        labels: (rows,) int.
    """
    covered, accuracy = statistics.risk_coverage(proba, labels)
    figure, axes = canvas(HALF, 3.0)
    axes.plot(100 * covered, 100 * accuracy, color=BLUE, drawstyle="steps-post")
    axes.plot(100, 100 * accuracy[-1], "o", color=VERMILLION, ms=5, clip_on=False)
    lowest = accuracy[len(accuracy) // 10 :].min()
    axes.set(xlabel="coverage: images answered, the surest first (%)", ylabel="accuracy (%)", xlim=(0, 100))
    axes.set_ylim(100 * lowest - max(0.05, 8 * (1 - lowest)), 100 + max(0.02, 5 * (1 - lowest)))
    axes.grid(axis="y")
    set_aside = -(-len(accuracy) // 20)  # 5 % rounded up: one of ten rows
    without = accuracy[max(0, len(accuracy) - set_aside - 1)]
    caption = (
        f"All {len(labels):,} held-out rows answered: {percent(accuracy[-1])} right. "
        f"With the least certain 5 % set aside: {percent(without)}."
    )
    return Picture("risk_coverage", "Accuracy against coverage", caption, caption, figure)
