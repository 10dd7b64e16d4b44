"""Figures of the classical baselines: every configuration that was tried, and what the best confuses."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from digits_ray.report.draw_ensemble import confusion
from digits_ray.report.formatting import BASELINE_TITLES, percent
from digits_ray.report.plotting import (
    BLUE,
    GREEN,
    HALF,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    end_at_100,
    short,
)
from digits_ray.report.run_contents import BaselineContents, RunContents
from digits_ray.report.search_curves import SearchCurves, search_curves

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)  # with more curves than that, only the winner's stands out
MARKERS = "osD^v"
CLOSE = 0.06  # of the axis: ticks nearer than that touch


def figures(run: RunContents) -> Iterator[Picture]:
    """Yields what can be drawn of the baselines."""
    for baseline in run.baselines:
        curves = search_curves(baseline.name, baseline.trials)
        if curves:
            yield trials(baseline.name, curves)
    if run.dataset is not None:
        labels = run.dataset["labels"]
        yield from (_confusion(run, baseline, labels) for baseline in run.baselines if _is_scored(baseline))


def trials(kind: str, search: SearchCurves) -> Picture:
    """Accuracy of every configuration, the winner marked."""
    swept = len({x for curve in search.curves for x in curve.x}) > 1
    figure, axes = canvas(HALF, 3.1 if swept else 0.9 + 0.3 * len(search.curves))
    draw = _draw_curves if swept else _draw_points
    draw(axes, search)
    title = BASELINE_TITLES[kind]
    configurations = "The only configuration" if search.scored == 1 else f"All {search.scored} configurations"
    failed = f" {search.failed} more failed." if search.failed else ""
    settings = ", ".join(f"{key} {value}" for key, value in search.winner.items() if value)
    caption = (
        f"{configurations} of the {title}, scored on validation rows that were cut from the training rows."
        f"{failed} The winner: {percent(search.winner_accuracy)} with {settings}."
    )
    return Picture(f"baseline_{kind}", f"{title[0].upper()}{title[1:]}: the search", caption, caption, figure)


def _draw_curves(axes: Axes, search: SearchCurves) -> None:
    """A curve for each combination of the other settings."""
    few = len(search.curves) <= len(COLOURS)
    for number, curve in enumerate(sorted(search.curves, key=lambda curve: curve.has_winner)):
        colour = COLOURS[number] if few else VERMILLION if curve.has_winner else BLUE
        label = short(curve.name, 52) if curve.name and (few or curve.has_winner) else None
        alpha = 0.9 if few or curve.has_winner else 0.5
        marker = MARKERS[number] if few else "o"
        accuracy = 100 * np.array(curve.accuracy)
        axes.plot(curve.x, accuracy, marker=marker, ms=3.5, lw=1, color=colour, alpha=alpha, label=label)
    winner = {"ms": 13, "color": VERMILLION, "mec": "white", "mew": 0.5, "zorder": 5, "label": "winner"}
    axes.plot(search.winner_x, 100 * search.winner_accuracy, "*", **winner)  # type: ignore[arg-type]
    if not few:
        axes.plot([], [], color=BLUE, marker="o", ms=3.5, lw=1, label=f"{len(search.curves) - 1} other settings")
    axes.set(xlabel=search.label, ylabel="validation accuracy (%)")
    end_at_100(axes, "y")
    _set_ticks(axes, sorted({x for curve in search.curves for x in curve.x}))
    axes.grid(axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.17))


def _set_ticks(axes: Axes, values: list[float]) -> None:
    """Puts ticks where trials are; on a logarithmic scale where they would touch otherwise."""
    gaps = np.diff(values)
    if len(gaps) and gaps.min() < CLOSE * (values[-1] - values[0]):
        axes.set_xscale("log")
    if len(values) <= 10:
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(FixedLocator([]))


def _draw_points(axes: Axes, search: SearchCurves) -> None:
    """A point for each configuration, where nothing was swept."""
    positions = np.arange(len(search.curves))
    accuracies = [100 * curve.accuracy[0] for curve in search.curves]
    winner = [curve.has_winner for curve in search.curves].index(True)
    axes.plot(accuracies, positions, "o", color=BLUE, ms=6)
    axes.plot(100 * search.winner_accuracy, winner, "*", ms=13, color=VERMILLION)
    axes.set_yticks(positions, [short(curve.name or "the only one", 36) for curve in search.curves])
    axes.set(xlabel="validation accuracy (%)", ylim=(len(positions) - 0.5, -0.5))
    axes.margins(x=0.15)
    end_at_100(axes, "x")
    axes.grid(axis="x")


def _is_scored(baseline: BaselineContents) -> bool:
    return baseline.prediction is not None and len(baseline.prediction.holdout_row_ids) > 0


def _confusion(run: RunContents, baseline: BaselineContents, labels: np.ndarray) -> Picture:
    assert baseline.prediction
    title, row_ids = BASELINE_TITLES[baseline.name], baseline.prediction.holdout_row_ids
    names = [short(label) for label in run.class_names]
    top = baseline.prediction.holdout_proba.argmax(axis=1)
    return confusion(
        f"confusion_{baseline.name}", f"Confusion of the {title}", f"The {title}", top, labels[row_ids], names
    )
