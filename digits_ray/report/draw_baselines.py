"""Figures of the classical baselines: every configuration that was tried, and what the best confuses."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from digits_ray.report.draw_ensemble import confusion
from digits_ray.report.formatting import TITLES, percent
from digits_ray.report.source import BaselineRecord, Source
from digits_ray.report.style import (
    BLUE,
    GREEN,
    HALF,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    at_most_all,
    canvas,
    short,
)
from digits_ray.report.trials import Search, search_of

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)  # with more curves than that, only the winner's stands out
MARKERS = "osD^v"
CLOSE = 0.06  # of the axis: ticks nearer than that touch


def figures(source: Source) -> Iterator[Picture]:
    """Yields what can be drawn of the baselines."""
    for baseline in source.baselines:
        search = search_of(baseline.name, baseline.trials)
        if search:
            yield trials(baseline.name, search)
    if source.dataset is not None:
        yield from (_confusion(source, one, source.dataset["labels"]) for one in source.baselines if _scored(one))


def trials(name: str, search: Search) -> Picture:
    """Accuracy of every configuration, the winner marked."""
    swept = len({x for curve in search.curves for x in curve.x}) > 1
    figure, axes = canvas(HALF, 3.1 if swept else 0.9 + 0.3 * len(search.curves))
    draw = _over_swept if swept else _side_by_side
    draw(axes, search)
    chosen = ", ".join(f"{key} {value}" for key, value in search.winner.items() if value)
    failed = f" {search.failed} more failed." if search.failed else ""
    caption = (
        f"{_all(search.count)} of the {TITLES[name]}, scored on validation rows that were cut from the training rows."
        f"{failed} The winner: {percent(search.best[1])} with {chosen}."
    )
    return Picture(f"baseline_{name}", f"{_capital(TITLES[name])}: the search", caption, caption, figure)


def _all(count: int) -> str:
    return "The only configuration" if count == 1 else f"All {count} configurations"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _over_swept(axes: Axes, search: Search) -> None:
    """A curve for each set of the other settings."""
    few = len(search.curves) <= len(COLOURS)
    for number, curve in enumerate(sorted(search.curves, key=lambda curve: curve.wins)):
        colour = COLOURS[number] if few else VERMILLION if curve.wins else BLUE
        label = short(curve.name, 52) if curve.name and (few or curve.wins) else None
        alpha = 0.9 if few or curve.wins else 0.5
        marker = MARKERS[number] if few else "o"
        axes.plot(
            curve.x, 100 * np.array(curve.accuracy), marker=marker, ms=3.5, lw=1, color=colour, alpha=alpha, label=label
        )
    x, accuracy = search.best
    axes.plot(x, 100 * accuracy, "*", ms=13, color=VERMILLION, mec="white", mew=0.5, zorder=5, label="winner")
    if not few:
        axes.plot([], [], color=BLUE, marker="o", ms=3.5, lw=1, label=f"{len(search.curves) - 1} other settings")
    axes.set(xlabel=search.label, ylabel="validation accuracy (%)")
    at_most_all(axes, "y")
    _scale(axes, sorted({x for curve in search.curves for x in curve.x}))
    axes.grid(axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.17))


def _scale(axes: Axes, values: list[float]) -> None:
    """Puts ticks where trials are; on a logarithmic scale where they would touch otherwise."""
    gaps = np.diff(values)
    if len(gaps) and gaps.min() < CLOSE * (values[-1] - values[0]):
        axes.set_xscale("log")
    if len(values) <= 10:
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(FixedLocator([]))


def _side_by_side(axes: Axes, search: Search) -> None:
    """A point for each configuration, where nothing was swept."""
    places = np.arange(len(search.curves))
    accuracies = [100 * curve.accuracy[0] for curve in search.curves]
    axes.plot(accuracies, places, "o", color=BLUE, ms=6)
    axes.plot(100 * search.best[1], [curve.wins for curve in search.curves].index(True), "*", ms=13, color=VERMILLION)
    axes.set_yticks(places, [short(curve.name or "the only one", 36) for curve in search.curves])
    axes.set(xlabel="validation accuracy (%)", ylim=(len(places) - 0.5, -0.5))
    axes.margins(x=0.15)
    at_most_all(axes, "x")
    axes.grid(axis="x")


def _scored(baseline: BaselineRecord) -> bool:
    return baseline.prediction is not None and len(baseline.prediction.holdout_row_ids) > 0


def _confusion(source: Source, baseline: BaselineRecord, labels: np.ndarray) -> Picture:
    assert baseline.prediction
    name, rows = TITLES[baseline.name], baseline.prediction.holdout_row_ids
    names = [short(label) for label in source.classes]
    top = baseline.prediction.holdout_proba.argmax(axis=1)
    title = f"Confusion of the {name}"
    return confusion(f"confusion_{baseline.name}", title, f"The {name}", top, labels[rows], names)
