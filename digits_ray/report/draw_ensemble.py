"""Figures of the ensemble: confusion, size, agreement, calibration, classes, coverage."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from digits_ray.report import facts
from digits_ray.report.formatting import percent
from digits_ray.report.source import Source
from digits_ray.report.style import (
    BLUE,
    FADE,
    GREY,
    HALF,
    INK,
    SKY,
    VERMILLION,
    Picture,
    at_most_all,
    canvas,
    plain_log,
    short,
    whole_numbers,
)

WRITTEN_CLASSES = 15  # up to so many classes, a confusion matrix carries numbers
WRITTEN_MEMBERS = 12


def figures(source: Source) -> Iterator[Picture]:
    """Yields what can be drawn of the ensemble."""
    if source.holdout and source.combined is not None:
        rows, proba, labels = source.holdout
        names = [short(name) for name in source.classes]
        if source.best and source.best.prediction:
            top, title = facts.aligned(source.best.prediction, rows), f"Confusion of {source.best.name}"
            yield confusion("confusion_member", title, "The best member", top, labels, names)
        top = proba.argmax(axis=1)
        yield confusion("confusion_ensemble", "Confusion of the ensemble", "The ensemble", top, labels, names)
        yield growth(source)
        yield reliability(proba, labels)
        yield coverage(proba, labels)
        yield classes(top, labels, names)
    if len(source.done) > 1 and source.combined is not None:
        yield agreement(source)


def confusion(name: str, title: str, who: str, top: np.ndarray, labels: np.ndarray, names: list[str]) -> Picture:
    """A confusion matrix as scikit-learn shows it; rows that the model did not score (-1) are left out.

    Args:
        name: Of the picture's file.
        title: Of the picture.
        who: The model, as the caption begins with it.
        top: (rows,) int, the model's top class or -1.
        labels: (rows,) int.
        names: Of the classes.
    """
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    scored = top >= 0
    matrix = confusion_matrix(labels[scored], top[scored], labels=np.arange(len(names)))
    written = len(names) <= WRITTEN_CLASSES
    figure, axes = canvas(HALF, HALF)
    display = ConfusionMatrixDisplay(matrix, display_labels=names)
    norm = PowerNorm(0.4, 0, max(1, matrix.max()))  # a single mistake stays visible beside hundreds of hits
    display.plot(ax=axes, cmap=FADE, colorbar=False, include_values=written, im_kw={"norm": norm})
    _dress(display, norm, len(names))
    mistakes = int(matrix.sum() - np.trace(matrix))
    caption = f"{who} is wrong on {mistakes:,} of {matrix.sum():,} rows.{_worst(matrix, names)}"
    return Picture(name, title, caption, f"Confusion matrix. {caption}", figure)


def _dress(display: Any, norm: PowerNorm, classes: int) -> None:
    axes, matrix = display.ax_, display.confusion_matrix
    for (row, column), text in np.ndenumerate(display.text_ if display.text_ is not None else []):
        value = matrix[row, column]
        text.set(text=str(value) if value else "", fontsize=8, color="white" if norm(value) > 0.55 else INK)
    size = min(8, 260 / classes)
    upright = max(len(tick.get_text()) for tick in axes.get_xticklabels()) > 2 or classes > WRITTEN_CLASSES
    axes.tick_params(axis="x", labelsize=size, rotation=90 if upright else 0)
    axes.tick_params(axis="y", labelsize=size)
    axes.spines[:].set(visible=True, color=GREY)
    axes.set(xlabel="predicted class", ylabel="class of the label")


def _worst(matrix: np.ndarray, names: list[str]) -> str:
    worst = [f"{names[one.label]} → {names[one.predicted]} ({one.rows})" for one in facts.confusions(matrix, 3)]
    return f" Most often, label → prediction: {', '.join(worst)}." if worst else ""


def growth(source: Source) -> Picture:
    """Accuracy against the number of members."""
    assert source.holdout
    rows, _, labels = source.holdout
    predictions = (prediction for member in source.done if (prediction := member.prediction))
    curve = facts.growth(predictions, len(source.done), rows, labels)
    figure, axes = canvas(HALF, 3.0)
    low, high = 100 * curve.low, 100 * curve.high
    axes.fill_between(curve.sizes, low, high, color=SKY, alpha=0.35, lw=0, label="range of the orders")
    axes.plot(curve.sizes, 100 * curve.mean, color=BLUE, marker="o", ms=3.5, label="mean of the orders")
    axes.set(xlabel="members in the ensemble", ylabel="accuracy (% of held-out rows)")
    at_most_all(axes, "y")
    whole_numbers(axes.xaxis)
    if len(source.done) > 1:
        axes.legend(loc="best")
    axes.grid(axis="y")
    caption = _growth_caption(curve)
    if (source.metrics.get("ensemble") or {}).get("method") == "weighted mean":
        caption += " The baselines’ votes are left out here."
    return Picture("ensemble_size", "Accuracy against number of members", caption, caption, figure)


def _growth_caption(curve: facts.Growth) -> str:
    if curve.orders == 1:
        return f"One member, {curve.rows:,} rows."
    gain = 100 * (curve.mean[-1] - curve.mean[0])
    return (
        f"Mean and range over {curve.orders} random orders of joining, {curve.rows:,} rows. "
        f"From one member to {len(curve.sizes)}: {gain:+.2f} percentage points."
    )


def agreement(source: Source) -> Picture:
    """How often each pair of members gives the same class: on test rows, or without them on held-out rows."""
    assert source.combined is not None
    part = "test" if len(source.combined["test_row_ids"]) else "holdout"
    rows = source.combined[f"{part}_row_ids"]
    found = (prediction for member in source.shown if (prediction := member.prediction))
    tops = np.array([facts.aligned(prediction, rows, part) for prediction in found])
    matrix, members = 100 * facts.agreement(tops), [str(member.spec.member_id) for member in source.shown]
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    known = off[np.isfinite(off)] if np.isfinite(off).any() else np.array([100.0])
    figure = _heat(matrix, known, members, f"same class (% of {part} rows)")
    rows_are = {"test": "test rows", "holdout": "held-out rows"}[part]
    caption = (
        f"Part of {len(rows):,} {rows_are} to which two members give the same class: {known.min():.2f} to "
        f"{known.max():.2f} %. The less they agree, the more a vote can gain."
    )
    return Picture("agreement", "Agreement of the members", caption, f"Heat map. {caption}", figure)


def _heat(matrix: np.ndarray, known: np.ndarray, members: list[str], label: str) -> Figure:
    """Draws the matrix, in percent, but for its diagonal; `known` are the values that are there."""
    figure, axes = canvas(HALF, 3.9)
    low, high = (float(known.min()), float(known.max())) if np.ptp(known) else (known[0] - 1, min(known[0] + 1, 100))
    image = axes.imshow(np.where(np.eye(len(matrix)), np.nan, matrix), cmap="cividis", vmin=low, vmax=high)
    _mark_members(axes, members)
    _write_agreement(axes, matrix, (low + high) / 2)
    figure.colorbar(image, ax=axes, label=label, fraction=0.045, pad=0.03)
    return figure


def _mark_members(axes: Axes, members: list[str]) -> None:
    places, size = range(len(members)), 8 if len(members) <= WRITTEN_MEMBERS else 6
    axes.set_xticks(places, members, fontsize=size)
    axes.set_yticks(places, members, fontsize=size)
    axes.set(xlabel="member", ylabel="member")


def _write_agreement(axes: Axes, matrix: np.ndarray, middle: float) -> None:
    if len(matrix) > WRITTEN_MEMBERS:
        return
    for (row, column), value in np.ndenumerate(matrix):
        if row != column and np.isfinite(value):
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)


def reliability(proba: np.ndarray, labels: np.ndarray) -> Picture:
    """Confidence against accuracy, the number of rows below; from (rows, classes) and the labels, (rows,) int."""
    from sklearn.calibration import CalibrationDisplay

    bins = facts.reliability(proba, labels)
    figure = Figure(figsize=(HALF, 4.2))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    CalibrationDisplay(100 * bins.accuracy, 100 * bins.confidence, proba.max(axis=1)).plot(
        ax=upper, ref_line=False, color=BLUE, label="ensemble", marker="o", ms=4
    )
    upper.plot([0, 100], [0, 100], color=GREY, ls="--", lw=1, label="as sure as right")
    upper.set(xlabel="", ylabel="accuracy (%)", xlim=(0, 102), ylim=(0, 104))
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    lower.bar(100 * bins.confidence, bins.rows, width=4, color=SKY)
    lower.set_yscale("log")
    lower.set(xlabel="confidence: probability of the top class (%)", ylabel="rows", ylim=(0.7, 1.6 * bins.rows.max()))
    plain_log(lower.yaxis, subs=(1,))
    caption = (
        f"{len(labels):,} held-out rows in bins of confidence. Above the dashed line the ensemble is too modest, "
        "below it too sure."
    )
    return Picture("reliability", "Reliability", caption, f"Reliability diagram. {caption}", figure)


def coverage(proba: np.ndarray, labels: np.ndarray) -> Picture:
    """Accuracy without the least certain images; from (rows, classes) and the labels, (rows,) int."""
    part, accuracy = facts.risk_coverage(proba, labels)
    figure, axes = canvas(HALF, 3.0)
    axes.plot(100 * part, 100 * accuracy, color=BLUE, drawstyle="steps-post")
    axes.plot(100, 100 * accuracy[-1], "o", color=VERMILLION, ms=5, clip_on=False)
    lowest = accuracy[len(accuracy) // 10 :].min()
    axes.set(xlabel="coverage: images answered, the surest first (%)", ylabel="accuracy (%)", xlim=(0, 100))
    axes.set_ylim(100 * lowest - max(0.05, 8 * (1 - lowest)), 100 + max(0.02, 5 * (1 - lowest)))
    axes.grid(axis="y")
    at = accuracy[max(0, len(accuracy) - -(-len(accuracy) // 20) - 1)]  # 5 % at least, of ten rows one
    caption = (
        f"All {len(labels):,} held-out rows answered: {percent(accuracy[-1])} right. "
        f"With the least certain 5 % set aside: {percent(at)}."
    )
    return Picture("risk_coverage", "Accuracy against coverage", caption, caption, figure)


def classes(top: np.ndarray, labels: np.ndarray, names: list[str]) -> Picture:
    """Precision and recall of each class, from top classes and labels, (rows,) int each."""
    precision, recall, rows = facts.precision_recall(top, labels, len(names))
    figure, axes = canvas(HALF, 0.9 + 0.21 * len(names))
    places = np.arange(len(names))
    axes.hlines(places, 100 * precision, 100 * recall, color=GREY, lw=1)
    axes.plot(100 * precision, places, "o", color=BLUE, ms=5, label="precision")
    axes.plot(100 * recall, places, "D", color=VERMILLION, ms=4, mfc="none", mew=1.4, label="recall")
    axes.set_yticks(places, [f"{name} ({n:,})" for name, n in zip(names, rows, strict=True)])
    axes.set(xlabel="% of rows", ylabel="class (held-out rows)", ylim=(len(names) - 0.4, -0.6))
    at_most_all(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    axes.grid(axis="x")
    worst = int(np.nanargmin(recall))
    caption = (
        "Precision: part of the rows predicted as the class that are of it. Recall: part of its rows that are found. "
        f"Least is found of “{names[worst]}”: {percent(recall[worst], 1)} of {rows[worst]:,}."
    )
    return Picture("precision_recall", "Precision and recall of each class", caption, caption, figure)
