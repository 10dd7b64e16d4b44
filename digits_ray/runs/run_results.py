"""What a finished run, or one that has its first members, tells of itself."""

import json
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from digits_ray.config import Config, MemberSpec, member_specs
from digits_ray.ensemble import Scores
from digits_ray.errors import UserError
from digits_ray.report import ensemble_line
from digits_ray.runs import run_tables
from digits_ray.runs.plots import Plots
from digits_ray.storage import RunDirectory, layout

if TYPE_CHECKING:
    import pandas as pd

    from digits_ray.report.run_contents import RunContents


class RunResults:
    """The results of a run directory, as values, tables and figures."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        """Returns the path, the networks and their accuracy on held-out rows with its 95 % interval."""
        if (self.metrics.get("ensemble") or {}).get("members_used"):
            return f"<Run {self.path}: {ensemble_line(self.metrics)}>"
        return f"<Run {self.path}: {', '.join(self.baselines) or 'no results yet'}>"

    @property
    def path(self) -> str:
        """The run directory's path or URI."""
        return self._directory.store.uri

    @property
    def place(self) -> str:
        """The name that `path` had before 0.2; gone in 0.3."""
        warnings.warn("Run.place is now Run.path", DeprecationWarning, stacklevel=2)
        return self.path

    @cached_property
    def config(self) -> Config:
        """The configuration it was made with."""
        return self._directory.config()

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds."""
        return self._directory.read_json(layout.METRICS) or {}

    @property
    def scores(self) -> Scores | None:
        """The scores of the ensemble on held-out rows; None where no row was held out, or no member is finished."""
        holdout = (self.metrics.get("ensemble") or {}).get("holdout")
        return Scores.from_json(holdout) if holdout else None

    @cached_property
    def classes(self) -> tuple[str | int, ...]:
        """The labels, in the order of the probabilities' columns."""
        return tuple(self._directory.data()["classes"])

    @cached_property
    def pixel_scale(self) -> Literal[1, 255] | None:
        """The greatest value that a pixel could have in the training file; None where its format says what white is."""
        facts = self._directory.read_arrays(layout.DATASET)
        return json.loads(str(facts["facts"])).get("pixel_scale") if facts else None

    @cached_property
    def member_ids(self) -> list[int]:
        """The finished members, by id."""
        return [spec.member_id for spec in self._specs]

    @cached_property
    def refitted(self) -> list[int]:
        """Of these, the members that predict by their refit on all labelled rows; others do by their first network."""
        return [number for number in self.member_ids if number in self.metrics.get("ensemble", {}).get("refitted", [])]

    @cached_property
    def baselines(self) -> list[str]:
        """The finished baselines: "knn", "tree", "forest"."""
        baselines = self.metrics.get("baselines", {})
        return [kind for kind, baseline in baselines.items() if baseline["status"] == "done"]

    @property
    def plot(self) -> Plots:
        """The report's figures, one by one, as matplotlib figures: `run.plot.ensemble_size()`."""
        return Plots(self.path)

    def history(self) -> "pd.DataFrame":
        """Returns the training of all finished members.

        Returns:
            A row for each member and epoch: `member`, `epoch` (from 1), `loss`, `accuracy` (of augmented training
            images), `learning_rate`, `seconds`, and what else history.csv holds.
        """
        return run_tables.history_table(self._contents())

    def leaderboard(self) -> "pd.DataFrame":
        """Returns leaderboard.csv: a row for each model that was scored on the held-out rows, the best first."""
        return run_tables.leaderboard_table(self._contents())

    def trials(self, kind: str) -> "pd.DataFrame":
        """Returns every configuration that a search tried, with its scores on the search's validation rows.

        Args:
            kind: "knn", "tree" or "forest".

        Raises:
            UserError: that search is not finished.
        """
        return run_tables.trials_table(self._contents(), kind)

    def confusion(self, model: str | int = "ensemble") -> "pd.DataFrame":
        """Returns how often a model took each class for each, on the rows that it never saw in training.

        Args:
            model: "ensemble", a member's number, or "knn", "tree" or "forest".

        Returns:
            Counts, (classes, classes): a row for each true class, a column for each predicted one.

        Raises:
            UserError: there is no such model, or no row was held out.
        """
        return run_tables.confusion_table(self._contents(), model)

    def check_members(self) -> None:
        """Raises UserError where no member is finished."""
        if not self.member_ids:
            raise UserError(f"{self.path}: baselines alone, no member to predict with. Run `digits-ray run` on it.")

    @cached_property
    def _specs(self) -> list[MemberSpec]:
        """Of the finished members."""
        return [spec for spec in member_specs(self.config) if self._directory.members.result(spec)]

    def _contents(self) -> "RunContents":
        from digits_ray.report.run_contents import read_run

        return read_run(self.path)
