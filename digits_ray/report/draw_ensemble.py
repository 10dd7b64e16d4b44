"""Figures of the ensemble: confusion, size, agreement, classes; its calibration is in `draw_calibration`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from digits_ray.report import draw_calibration, statistics
from digits_ray.report.formatting import percent
from digits_ray.report.member_agreement import agreement_of_members
from digits_ray.report.plotting import (
    BLUE,
    FADE,
    GREY,
    HALF,
    INK,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    end_at_100,
    short,
    whole_numbers,
)
from digits_ray.report.run_contents import RunContents
from digits_ray.report.size_curve import SizeCurve, accuracy_by_size
from digits_ray.report.which_networks import baselines_vote

WRITTEN_CLASSES = 15  # up to so many classes, a confusion matrix carries numbers
WRITTEN_MEMBERS = 12


def figures(run: RunContents) -> Iterator[Picture]:
    """Yields what can be drawn of the ensemble."""
    if run.holdout and run.ensemble is not None:
        proba, labels = run.holdout.proba, run.holdout.labels
        names = [short(name) for name in run.class_names]
        member = run.member_beside_ensemble
        if member and (prediction := member.prediction):
            title, top = f"Confusion of {member.name}", statistics.top_classes(prediction, run.holdout.row_ids)
            yield confusion("confusion_member", title, "The best member", top, labels, names)
        top = proba.argmax(axis=1)
        title, model = f"Confusion of the {run.model_name}", f"The {run.model_name}"
        yield confusion("confusion_ensemble", title, model, top, labels, names)
        if not run.is_single_network:
            yield ensemble_size(run)
        yield draw_calibration.reliability(proba, labels)
        yield draw_calibration.coverage(proba, labels)
        yield classes(top, labels, names)
    if len(run.finished_members) > 2 and run.ensemble is not None:  # of two, the section says it in a sentence
        yield agreement(run)


def confusion(name: str, title: str, model: str, top: np.ndarray, labels: np.ndarray, names: list[str]) -> Picture:
    """A confusion matrix as scikit-learn shows it.

    Args:
        name: Of the figure's file.
        title: Of the figure.
        model: Its name, as the caption's first words.
        top: (rows,) int, the model's top classes; rows that it did not score (-1) are left out.
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
    _style_confusion(display, norm, len(names))
    mistakes = int(matrix.sum() - np.trace(matrix))
    verb = "are" if model.endswith("s") else "is"  # the k nearest neighbours
    caption = f"{model} {verb} wrong on {mistakes:,} of {matrix.sum():,} rows.{_most_frequent(matrix, names)}"
    return Picture(name, title, caption, f"Confusion matrix. {caption}", figure)


def _style_confusion(display: Any, norm: PowerNorm, classes: int) -> None:
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


def _most_frequent(matrix: np.ndarray, names: list[str]) -> str:
    mistakes = statistics.frequent_mistakes(matrix, 3)
    texts = [f"{names[mistake.label]} → {names[mistake.predicted]} ({mistake.rows})" for mistake in mistakes]
    return f" Most often, label → prediction: {', '.join(texts)}." if texts else ""


def ensemble_size(run: RunContents) -> Picture:
    """Accuracy against the number of members."""
    assert run.holdout
    predictions = (prediction for member in run.finished_members if (prediction := member.prediction))
    curve = accuracy_by_size(predictions, len(run.finished_members), run.holdout.row_ids, run.holdout.labels)
    figure, axes = canvas(HALF, 3.0)
    low, high = 100 * curve.low, 100 * curve.high
    axes.fill_between(curve.sizes, low, high, color=SKY, alpha=0.35, lw=0, label="range of the orders")
    axes.plot(curve.sizes, 100 * curve.mean, color=BLUE, marker="o", ms=3.5, label="mean of the orders")
    axes.set(xlabel="members in the ensemble", ylabel="accuracy (% of held-out rows)")
    end_at_100(axes, "y")
    whole_numbers(axes.xaxis)
    if len(run.finished_members) > 1:
        axes.legend(loc="best")
    axes.grid(axis="y")
    caption = _size_caption(curve)
    if baselines_vote(run.metrics):
        caption += " The baselines’ votes are left out here."
    return Picture("ensemble_size", "Accuracy against number of members", caption, caption, figure)


def _size_caption(curve: SizeCurve) -> str:
    if curve.orders == 1:
        return f"One member, {curve.rows:,} rows."
    gain = 100 * (curve.mean[-1] - curve.mean[0])
    return (
        f"Mean and range over {curve.orders} random orders of joining, {curve.rows:,} rows. "
        f"From one member to {len(curve.sizes)}: {gain:+.2f} percentage points."
    )


def agreement(run: RunContents) -> Picture:
    """How often each pair of members gives the same class: on test rows, or without them on held-out rows."""
    found = agreement_of_members(run)
    label = f"same class (% of {found.part} rows)"
    figure = _heat_map(found.percentages, found.of_pairs, found.members, label)
    return Picture("agreement", "Agreement of the members", found.text, f"Heat map. {found.text}", figure)


def _heat_map(matrix: np.ndarray, known: np.ndarray, members: list[str], label: str) -> Figure:
    """Draws the matrix, in percent, without its diagonal; `known` are its values that are no NaN."""
    figure, axes = canvas(HALF, 3.9)
    low, high = (float(known.min()), float(known.max())) if np.ptp(known) else (known[0] - 1, min(known[0] + 1, 100))
    image = axes.imshow(np.where(np.eye(len(matrix)), np.nan, matrix), cmap="cividis", vmin=low, vmax=high)
    _mark_members(axes, members)
    _write_agreement(axes, matrix, (low + high) / 2)
    figure.colorbar(image, ax=axes, label=label, fraction=0.045, pad=0.03)
    return figure


def _mark_members(axes: Axes, members: list[str]) -> None:
    positions, size = range(len(members)), 8 if len(members) <= WRITTEN_MEMBERS else 6
    axes.set_xticks(positions, members, fontsize=size)
    axes.set_yticks(positions, members, fontsize=size)
    axes.set(xlabel="member", ylabel="member")


def _write_agreement(axes: Axes, matrix: np.ndarray, middle: float) -> None:
    if len(matrix) > WRITTEN_MEMBERS:
        return
    for (row, column), value in np.ndenumerate(matrix):
        if row != column and np.isfinite(value):
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)


def classes(top: np.ndarray, labels: np.ndarray, names: list[str]) -> Picture:
    """Precision and recall of each class.

    Args:
        top: (rows,) int, the ensemble's top classes.
        labels: (rows,) int.
        names: Of the classes.
    """
    precision, recall, rows = statistics.precision_recall(top, labels, len(names))
    figure, axes = canvas(HALF, 0.9 + 0.21 * len(names))
    positions = np.arange(len(names))
    axes.hlines(positions, 100 * precision, 100 * recall, color=GREY, lw=1)
    axes.plot(100 * precision, positions, "o", color=BLUE, ms=5, label="precision")
    axes.plot(100 * recall, positions, "D", color=VERMILLION, ms=4, mfc="none", mew=1.4, label="recall")
    axes.set_yticks(positions, [f"{name} ({n:,})" for name, n in zip(names, rows, strict=True)])
    axes.set(xlabel="% of rows", ylabel="class (held-out rows)", ylim=(len(names) - 0.4, -0.6))
    end_at_100(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    axes.grid(axis="x")
    worst = int(np.nanargmin(recall))
    caption = (
        "Precision: of the rows predicted as the class, those that are of it. Recall: of the class’s rows, those "
        f"predicted as it. Lowest recall: “{names[worst]}”, {percent(recall[worst], 1)} of {rows[worst]:,} rows."
    )
    return Picture("precision_recall", "Precision and recall of each class", caption, caption, figure)
