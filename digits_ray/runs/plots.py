"""The report's figures, one by one, for a notebook."""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, TypeVar

from digits_ray.config import BASELINE_KINDS
from digits_ray.errors import UserError, nearest

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from digits_ray.report.plotting import Picture
    from digits_ray.report.run_contents import MemberContents, RunContents

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
Column = Literal["accuracy", "loss", "learning_rate"]


def _figure(
    draw: Callable[Concatenate["Plots", Arguments], "Picture"],
) -> Callable[Concatenate["Plots", Arguments], "Figure"]:
    """Has a method that draws a picture return its figure, in the report's look."""

    @wraps(draw)
    def drawn(plots: "Plots", *args: Arguments.args, **kwargs: Arguments.kwargs) -> "Figure":
        from digits_ray.report.figure_files import figure_defaults, fix_layout

        with figure_defaults():
            figure = draw(plots, *args, **kwargs).figure
            fix_layout(figure)  # else a notebook would lay it out with its own font sizes
        return figure

    return drawn


class Plots:
    """Draws what the report shows, as matplotlib figures: `run.plot.ensemble_size().savefig("size.png")`.

    A figure for which the run has nothing, as a confusion matrix without held-out rows, is a UserError.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @cached_property
    def _contents(self) -> "RunContents":
        from digits_ray.report.run_contents import read_run

        return read_run(self._path)

    @_figure
    def class_counts(self) -> "Picture":
        """Rows of each class, as bars."""
        from digits_ray.report import draw_data

        return draw_data.counts(self._dataset(), self._class_names())

    @_figure
    def samples(self) -> "Picture":
        """25 random labelled images."""
        from digits_ray.report import draw_data

        return draw_data.samples(self._dataset(), self._class_names())

    @_figure
    def mean_images(self) -> "Picture":
        """The mean image of each class."""
        from digits_ray.report import draw_data

        return draw_data.mean_images(self._dataset(), self._class_names())

    @_figure
    def colour_maps(self) -> "Picture":
        """Four grey images, each in another colour map."""
        from digits_ray.report import draw_data

        return draw_data.colour_maps(self._grey_dataset())

    @_figure
    def pixel_values(self) -> "Picture":
        """One grey image with the value of each pixel written into it."""
        from digits_ray.report import draw_data

        return draw_data.pixel_values(self._grey_dataset(), self._class_names())

    @_figure
    def search(self, kind: str) -> "Picture":
        """Accuracy of every configuration that a search tried.

        Args:
            kind: "knn", "tree" or "forest".
        """
        from digits_ray.report import draw_baselines
        from digits_ray.report.search_curves import search_curves

        _check_name(kind, BASELINE_KINDS)
        trials = next((one.trials for one in self._contents.baselines if one.name == kind), None)
        curves = search_curves(kind, trials) if trials else None
        return draw_baselines.trials(kind, self._require(curves, f"no finished search of {kind}"))

    @_figure
    def training(self, column: Column = "accuracy") -> "Picture":
        """A column of all members' histories over the epochs, with its mean.

        Args:
            column: "accuracy", "loss" or "learning_rate".
        """
        from digits_ray.report import draw_members

        _check_name(column, tuple(draw_members.CURVES))
        return draw_members.all_members(self._with_column(column), column)

    @_figure
    def training_of_each(self, column: Column = "accuracy") -> "Picture":
        """A panel for each member's history, the others in grey behind it.

        Args:
            column: "accuracy", "loss" or "learning_rate".
        """
        from digits_ray.report import draw_members

        _check_name(column, tuple(draw_members.CURVES))
        return draw_members.each_member(self._with_column(column), column)

    @_figure
    def training_and_holdout(self) -> "Picture":
        """Each member's accuracy on its training rows and on rows it never saw, with the interval of these."""
        from digits_ray.report import draw_members

        scored = [member for member in self._with_column("accuracy") if member.is_scored]
        return draw_members.train_holdout(self._require(scored, "no held-out rows"))

    @_figure
    def confusion(self, model: str | int = "ensemble") -> "Picture":
        """The confusion matrix of a model on the held-out rows.

        Args:
            model: As for `Run.confusion`.
        """
        from digits_ray.report import draw_ensemble
        from digits_ray.runs.run_tables import scored_rows

        scored = scored_rows(self._contents, model)
        return draw_ensemble.confusion(
            "confusion", "Confusion", str(model), scored.top, scored.labels, self._class_names()
        )

    @_figure
    def ensemble_size(self) -> "Picture":
        """Accuracy on held-out rows against the number of members that vote."""
        from digits_ray.report import draw_ensemble

        self._holdout_proba()
        return draw_ensemble.ensemble_size(self._contents)

    @_figure
    def agreement(self) -> "Picture":
        """How often each two members choose the same class."""
        from digits_ray.report import draw_ensemble

        several = len(self._members()) > 1
        self._require(several, "one member: there is nothing to agree with")
        return draw_ensemble.agreement(self._contents)

    @_figure
    def reliability(self) -> "Picture":
        """The ensemble's confidence against its accuracy."""
        from digits_ray.report import draw_calibration

        return draw_calibration.reliability(*self._holdout_proba())

    @_figure
    def votes(self) -> "Picture":
        """Held-out images on which the members disagree most, with each member's vote."""
        from digits_ray.report import draw_cases

        pictures = {picture.name: picture for picture in draw_cases.figures(self._contents)}
        return self._require(pictures.get("disputed"), "no held-out row on which members disagree")

    def _require(self, value: Value | None, otherwise: str) -> Value:
        """Returns what a figure shows."""
        if not value:
            raise UserError(f"{self._path}: {otherwise}.")
        return value

    def _dataset(self) -> "dict[str, np.ndarray]":
        return dict(self._require(self._contents.dataset, "no data, as it was made by an earlier release"))

    def _grey_dataset(self) -> "dict[str, np.ndarray]":
        dataset = self._dataset()
        self._require(dataset["sample_images"].ndim == 3, "images in colour, which no colour map can show")
        return dataset

    def _class_names(self) -> list[str]:
        from digits_ray.report.plotting import short

        return [short(name) for name in self._contents.class_names]

    def _members(self) -> "list[MemberContents]":
        return self._require(self._contents.shown_members, "no finished member")

    def _with_column(self, column: Column) -> "list[MemberContents]":
        from digits_ray.report import draw_members

        return self._require(draw_members.with_column(self._members(), column), f"no {column} in the histories")

    def _holdout_proba(self) -> "tuple[np.ndarray, np.ndarray]":
        holdout = self._require(self._contents.holdout, "no held-out rows")
        return holdout.proba, holdout.labels


def _check_name(name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise UserError(f"no {name!r}. {nearest(name, list(names))}")
