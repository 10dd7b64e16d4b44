"""The events of a run. The base class warns of what must not go unnoticed; `cli` has those that show the others."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from digits_ray.config import Config
from digits_ray.data import Data, DataCheck
from digits_ray.ensemble import MemberFailure
from digits_ray.progress import MemberStatus, SearchStatus
from digits_ray.report import ReportStep
from digits_ray.runs.records import BaselineRecord, MemberRecord
from digits_ray.scheduling import Plan


class RunCallback:
    """Called with the events of a run, in its own process. Override those that you need.

    An exception that an event raises ends the run, as in Keras: it comes out of `run`. No work is lost: an event of
    something finished comes after its files were written, and the same run, started again, goes on from them. An error
    in `on_report_step` alone does not end the run; it is reported as `on_report_failure`.

    Events that say so warn, by `warnings.warn`, where no callback of the run overrides them.
    """

    def on_run_begin(self) -> None:
        """The run begins. Once, before anything else, the reading of the data included."""

    def on_run_end(self) -> None:
        """The run has ended. Once, after everything else, and also when it failed, was refused or interrupted."""

    def on_settings(self, config: Config) -> None:
        """The settings are known, `out` and the recipe of the run directory included. Once, before the data are read.

        Args:
            config: All settings of the run.
        """

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        """The preset has changed since the run directory was made, whose recipe is kept. Once at most; warns.

        Args:
            config: With the directory's recipe; the run continues with it.
            reason: What has changed, in one line.
        """
        warnings.warn(reason, stacklevel=3)

    def on_data_progress(self, done: int, total: int) -> None:
        """Pictures are being decoded. After some hundreds each time, and not at all where the data are no pictures.

        Args:
            done: Pictures decoded so far, of the training images or of the test images.
            total: Of these.
        """

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """The data were read, checked and split. Once.

        Args:
            data: Images and labels.
            check: Duplicates, counts of the classes.
            folds: (labelled_rows,) int16, as `data.split` gave it.
        """

    def on_network_check(self, networks: tuple[str, ...]) -> None:
        """Networks of the user's own are about to be tried in a process of its own, which lasts some seconds.

        Once, where members with such networks are missing.

        Args:
            networks: FILE.py:FUNCTION each.
        """

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        """No node can hold a member (or a search's trial) yet, and one is waited for. Every two seconds until it comes.

        Args:
            reason: Why there is no plan yet.
            minutes: How long is waited in all.
        """

    def on_wait_for_directory(self, reason: str) -> None:
        """Another run may be writing to the same directory; it is watched for a while. Once at most."""

    def on_plan(self, plan: Plan, members: int, missing: int, path: str) -> None:
        """Members are about to be trained. Once, and not at all when none is missing. Warns of what the plan warns of.

        Args:
            plan: How many train at the same time, and what each gets.
            members: In the whole ensemble.
            missing: Of them, those that are not finished yet.
            path: The run directory's path or URI.
        """
        _warn_of_plan(plan)

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        """How far every missing member is. About twice a second while members train, and once more at their end.

        After `on_refit_begin`: how far every missing refit is.
        """

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        """A member is finished and its files are written. Once for each that this command trains.

        Args:
            member_id: The member's.
            record: What its result.json holds.
            metrics: What metrics.json holds; with many members it may be some seconds old and lack the last ones.
        """

    def on_member_failure(self, failure: MemberFailure) -> None:
        """A member was given up, after all its attempts; the run goes on while enough are left. Once each; warns."""
        warnings.warn(f"member {failure.member_id} could not be trained. {failure.reason}", stacklevel=3)

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        """All members that could be trained are finished and scored; refits, searches and the report may follow.

        Once, as `on_plan` is.

        Args:
            metrics: What metrics.json holds, with all of them.
        """

    def on_refit_begin(self, plan: Plan, members: int, missing: int) -> None:
        """Members are about to be trained once more, on all labelled rows. Once, and not at all when none is missing.

        Warns as `on_plan` does.

        Args:
            plan: How many train at the same time, and what each gets.
            members: That are finished, and so get a refit.
            missing: Of the refits, those that are not finished yet.
        """
        _warn_of_plan(plan)

    def on_refit_end(self, member_id: int, record: MemberRecord) -> None:
        """A refit is finished and its files are written. Once for each that this command trains.

        Args:
            member_id: The member's.
            record: What the refit's result.json holds; its `holdout` is None.
        """

    def on_refit_failure(self, failure: MemberFailure) -> None:
        """A refit was given up; the member's first network votes instead. Once for each; warns."""
        network = f"member {failure.member_id} could not be trained once more; its first network votes instead"
        warnings.warn(f"{network}. {failure.reason}", stacklevel=3)

    def on_teaching_begin(self, teachers: int, rows: int) -> None:
        """Members predict the rows that a distilled network is to learn. Once, unless an earlier command has done so.

        Args:
            teachers: Members that teach.
            rows: That they predict.
        """

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        """How far the search for each missing baseline is. About twice a second, in a thread of its own."""

    def on_baseline_end(self, kind: str, record: BaselineRecord) -> None:
        """A baseline was chosen and refitted, and its files are written. Once for each that this command searches.

        Args:
            kind: "knn", "tree" or "forest".
            record: What its result.json holds.
        """

    def on_baseline_failure(self, kind: str, error: str) -> None:
        """Every trial of a baseline failed, or its refit did; the run continues without it. Once for each; warns."""
        warnings.warn(f"{kind} could not be fitted; the run goes on without it. {error}", stacklevel=3)

    def on_report_step(self, step: ReportStep) -> None:
        """A step of drawing the report begins. Once for each step, when all results are written."""

    def on_report_failure(self, error: str) -> None:
        """The report could not be drawn; all results are there. Once at most; warns."""
        warnings.warn(f"report.html could not be drawn. {error}", stacklevel=3)

    def on_tracking_failure(self, error: str) -> None:
        """MLflow could not be reached; the run continues, the next command makes up for it.

        Twice at most: a server that failed is tried once more, at the run's end. Warns.
        """
        warnings.warn(f"MLflow could not be written to: {error}", stacklevel=3)


def _warn_of_plan(plan: Plan) -> None:
    for warning in plan.warnings:
        warnings.warn(warning, stacklevel=1)  # of training and refits, a text is shown once


class CallbackList(RunCallback):
    """Passes every event on to several callbacks, in their order; the base class's warnings where none overrides it."""

    def __init__(self, callbacks: Sequence[RunCallback]) -> None:
        self.callbacks = tuple(callbacks) or (RunCallback(),)  # which warns of what must not go unnoticed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Brackets the body by `on_run_begin` and, whatever happens, the `on_run_end` of each callback."""
        with ExitStack() as ends:
            for callback in reversed(self.callbacks):  # the last one pushed is called first
                ends.callback(callback.on_run_end)
            self.on_run_begin()
            yield


def _pass_on(event: str) -> Callable[..., None]:
    inherited = vars(RunCallback)[event]

    def passed_on(self: CallbackList, *args: object) -> None:
        handlers = [getattr(callback, event) for callback in self.callbacks]
        own = [handler for handler in handlers if getattr(handler, "__func__", None) is not inherited]
        for handler in own or handlers[:1]:
            handler(*args)

    return passed_on


for _event in [name for name in vars(RunCallback) if name.startswith("on_")]:
    setattr(CallbackList, _event, _pass_on(_event))
