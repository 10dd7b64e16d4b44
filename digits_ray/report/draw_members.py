"""Figures of the members: curves over epochs, training against holdout, speed."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digits_ray.report import draw_layers
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.plotting import (
    BLUE,
    FULL,
    GREY,
    HALF,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    end_at_100,
    plain_log,
    whole_numbers,
)
from digits_ray.report.run_contents import MemberContents, RunContents

CURVES = {  # column of history.csv: title, axis title, file name, factor
    "accuracy": ("Training accuracy", "training accuracy (%)", "curves_accuracy", 100),
    "loss": ("Training loss", "training loss (nats)", "curves_loss", 1),
    "learning_rate": ("Learning rate", "learning rate", "curves_learning_rate", 1),
}
DECADE = 10  # values that span more than one are drawn on a logarithmic axis


def figures(run: RunContents) -> Iterator[Picture]:
    """Yields what can be drawn of the finished members."""
    if not run.finished_members:
        return
    for column in CURVES:
        if members := with_column(run.finished_members, column):
            yield all_members(members, column)
    for column in ("accuracy", "loss"):
        if len(members := with_column(run.shown_members, column)) > 1:
            yield each_member(members, column)
    if scored := [member for member in with_column(run.shown_members, "accuracy") if member.is_scored]:
        yield train_holdout(scored)
    yield speed(run.shown_members)


def with_column(members: Sequence[MemberContents], column: str) -> list[MemberContents]:
    """Returns the members whose histories have the column: not every training records all of CURVES."""
    return [member for member in members if _values(member, column)]


def layer_figures(run: RunContents, inspection: Inspection | None) -> Iterator[Picture]:
    """Yields the convolution layers of the best member."""
    for convolution in inspection.convolutions if inspection else []:
        yield draw_layers.layer(convolution)


def all_members(members: list[MemberContents], column: str) -> Picture:
    """One column of all histories in one pair of axes."""
    title, label, name, factor = CURVES[column]
    figure, axes = canvas(HALF, 2.9)
    for member in members:
        _curve(axes, member, column, color=BLUE, alpha=1 if len(members) == 1 else 0.45, lw=1)
    histories = [_values(member, column) for member in members]
    epochs = min(map(len, histories))
    mean = np.mean([history[:epochs] for history in histories], axis=0)
    if len(members) > 1:
        marker = "o" if epochs == 1 else None
        axes.plot(range(1, epochs + 1), factor * mean, color=VERMILLION, lw=1.8, marker=marker, ms=4, label="mean")
        axes.plot([], [], color=BLUE, lw=1, label="one member")
        axes.legend()
    _over_epochs(axes, label, _scale(members, column))
    if column == "accuracy":
        end_at_100(axes, "y")
    last = f"{factor * mean[-1]:.2f} %" if factor == 100 else f"{mean[-1]:.3g}"
    caption = f"{title} of {_members(members)} after each epoch; at the end {last}{' on average' * (len(members) > 1)}."
    augmented = " Measured on augmented images, so it may lie below the holdout's." if column == "accuracy" else ""
    return Picture(name, f"{title}, all members", caption + augmented, f"Line chart. {caption}", figure)


def _members(members: list[MemberContents]) -> str:
    return "one member" if len(members) == 1 else f"{len(members)} members"


def _values(member: MemberContents, column: str) -> list[float]:
    return [entry[column] for entry in member.history if column in entry]


def _curve(axes: Axes, member: MemberContents, column: str, **style: object) -> None:
    values = [CURVES[column][3] * value for value in _values(member, column)]
    marker = "o" if len(values) == 1 else None
    axes.plot(range(1, len(values) + 1), values, marker=marker, ms=3, **style)  # type: ignore[arg-type]


def _scale(members: list[MemberContents], column: str) -> str:
    values = [value for member in members for value in _values(member, column)]
    return "log" if min(values) > 0 and max(values) / min(values) > DECADE else "linear"


def _over_epochs(axes: Axes, label: str, scale: str) -> None:
    axes.set(xlabel="epoch", ylabel=label, yscale=scale)
    if axes.get_xlim()[1] < 2:  # one epoch
        axes.set_xlim(0, 2)
    if not any(np.any(np.asarray(line.get_ydata()) > 0) for line in axes.lines):
        axes.set_ylim(0, 1e-3)  # one epoch of a one-cycle schedule ends at a rate of 0
    if scale == "log":
        plain_log(axes.yaxis)
    whole_numbers(axes.xaxis)
    axes.grid(axis="y")


def each_member(members: list[MemberContents], column: str) -> Picture:
    """One column of the histories, a panel for each member, the others in grey behind it."""
    title, label, name, _ = CURVES[column]
    scale = _scale(members, column)
    columns = min(4, len(members))
    rows = -(-len(members) // columns)
    figure = Figure(figsize=(FULL if columns > 2 else HALF, 0.5 + 1.35 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, member in zip(panels.flat, members, strict=False):
        for other in members:
            _curve(panel, other, column, color=GREY, alpha=0.3, lw=0.6)
        _curve(panel, member, column, color=BLUE)
        _mark_holdout(panel, member, column)
        panel.set_title(f"member {member.spec.member_id}", loc="left", fontsize=8, pad=3)
        panel.set_yscale(scale)
        if scale == "log":
            plain_log(panel.yaxis)
        whole_numbers(panel.xaxis)
    if column == "accuracy":
        end_at_100(panels[0, 0], "y")  # which all panels share
    for panel in panels.flat[len(members) :]:
        panel.set_visible(False)
    _label_last_row(panels, len(members))
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel(label, fontsize=9)
    has_dots = column == "accuracy" and members[0].is_scored
    dots = " The orange dot is its accuracy on rows it never saw." if has_dots else ""
    caption = f"{title} of each member (blue) among all others (grey).{dots}"
    return Picture(f"{name}_each", f"{title}, member by member", caption, caption, figure)


def _label_last_row(panels: np.ndarray, shown: int) -> None:
    """Gives epoch numbers to panels below which none is shown."""
    columns = panels.shape[1]
    for number, panel in enumerate(panels.flat[:shown]):
        if number + columns >= shown:
            panel.tick_params(axis="x", labelbottom=True)


def _mark_holdout(axes: Axes, member: MemberContents, column: str) -> None:
    if column == "accuracy" and member.accuracy is not None:
        axes.plot(len(member.history), 100 * member.accuracy, "o", color=ORANGE, ms=5, zorder=5)


def train_holdout(members: list[MemberContents]) -> Picture:
    """Training against holdout accuracy of each member, with the interval of the holdout's."""
    figure, axes = canvas(HALF, 0.9 + 0.2 * len(members))
    positions = np.arange(len(members))
    holdouts = [(member.result or {})["holdout"] for member in members]
    accuracy = 100 * np.array([scores["accuracy"] for scores in holdouts])
    low, high = 100 * np.array([scores["accuracy_ci95"] for scores in holdouts]).T
    training = [100 * _values(member, "accuracy")[-1] for member in members]
    axes.hlines(positions, low, high, color=SKY, lw=3, alpha=0.7, label="95 % interval")
    axes.plot(accuracy, positions, "o", color=BLUE, ms=5, label="holdout")
    axes.plot(training, positions, "D", color=VERMILLION, ms=4, mfc="none", mew=1.3, label="training")
    axes.set_yticks(positions, [str(member.spec.member_id) for member in members])
    axes.set(xlabel="accuracy (%)", ylabel="member", ylim=(len(members) - 0.4, -0.6))
    end_at_100(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0, columnspacing=1)
    axes.grid(axis="x")
    caption = (
        "Accuracy of the last epoch on augmented training images, and of the final weights on rows never seen "
        f"(n = {holdouts[0]['rows']:,}), untouched. Training far above holdout would mean overfitting."
    )
    return Picture("train_holdout", "Training against holdout", caption, caption, figure)


def speed(members: list[MemberContents]) -> Picture:
    """Images per second of each member, and its retries."""
    figure, axes = canvas(HALF, 0.8 + 0.2 * len(members))
    results = [member.result or {} for member in members]
    rates = [result.get("images_per_second", 0.0) for result in results]
    positions = np.arange(len(members))
    axes.barh(positions, rates, color=BLUE, height=0.7)
    labels = [_rate(rate, result.get("attempts", 1)) for rate, result in zip(rates, results, strict=True)]
    axes.bar_label(axes.containers[0], labels=labels, padding=3, fontsize=8)  # type: ignore[arg-type]
    axes.set_yticks(positions, [str(member.spec.member_id) for member in members])
    limit = 1.45 * max([*rates, 1])
    axes.set(xlabel="training images per second", ylabel="member", xlim=(0, limit), ylim=(len(members) - 0.4, -0.6))
    retried = sum(result.get("attempts", 1) > 1 for result in results)
    retries = f"{retried} of them needed more than one attempt" if retried else "none needed a second attempt"
    caption = f"Training speed of {_members(members)}, augmentation included; {retries}."
    return Picture("speed", "Speed and retries", caption, caption, figure)


def _rate(rate: float, attempts: int) -> str:
    retries = f"  ({attempts - 1} {'retry' if attempts == 2 else 'retries'})" if attempts > 1 else ""
    return f"{rate:,.0f}{retries}"
