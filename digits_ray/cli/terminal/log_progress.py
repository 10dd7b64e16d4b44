"""A run's progress as plain lines, for a log or a file."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from digits_ray.cli.terminal.facts import data_facts, facts_table
from digits_ray.cli.terminal.progress_lines import (
    baseline_line,
    built_in_recipe_line,
    members_line,
    search_line,
)
from digits_ray.cli.terminal.time_estimate import TimeEstimate, clock_time, enumeration, rounded
from digits_ray.config import Config
from digits_ray.data import ARRAYS, Data, DataCheck
from digits_ray.ensemble import MemberFailure
from digits_ray.progress import MemberStatus, SearchStatus
from digits_ray.report import ReportStep, ensemble_line, percent
from digits_ray.runs import BaselineRecord, MemberRecord, RunCallback
from digits_ray.scheduling import Plan

LOG_SECONDS = 30  # between two lines on progress
LONG_SECONDS = 600  # a run on CPUs that lasts longer is told how to have a first look
FIRST_LOOK_MEMBERS = 2
FIRST_LOOK = f"--members {FIRST_LOOK_MEMBERS} (members.count) gives a quicker first look."


class LogProgress(RunCallback):
    """Plain lines on stderr, one an event and one every half minute."""

    def __init__(self, console: Console, config: Config, report: bool = True) -> None:
        self.console, self.config = console, config
        self.estimate = TimeEstimate(config, report)
        self._end_announced = False
        self._first_look_announced = False
        self._can_be_quicker = False  # with fewer members
        self._last_line = time.monotonic()
        self._wait_announced = False
        self._trains_on_arrays = False
        self._announced: set[tuple[str, int, int]] = set()  # attempts that follow a lost one: stage, member, attempt
        self._plan: Plan | None = None  # once it is announced
        self._refitting = False

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        self.config = config
        self.print_warning(reason)

    def on_data_progress(self, done: int, total: int) -> None:
        if self._line_is_due():
            self.print_line(f"reading pictures: {done:,} of {total:,}")

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        self._trains_on_arrays = data.train_source == ARRAYS
        self.estimate.record_data(data.images.size)
        self.console.print(facts_table(data_facts(data, check, folds, self.config.split)))

    def on_teaching_begin(self, teachers: int, rows: int) -> None:
        self.print_line(
            f"Teaching: {teachers} {'member predicts' if teachers == 1 else 'members predict'} {rows:,} rows."
        )

    def on_network_check(self, networks: tuple[str, ...]) -> None:
        self.print_line(f"Trying {', '.join(networks)} for one training step.")

    def on_plan(self, plan: Plan, members: int, missing: int, path: str) -> None:
        finished = f" ({members - missing} are finished already)" if missing < members else ""
        self.print_line(f"Training {missing} of {members} members{finished}: {plan.reason}.")
        self.print_line(f"Results go to {path}")
        if self.config.members.refit_on_all:
            self.print_line("Once scored, all train once more on all labelled rows: it takes about twice as long.")
        self._record_plan(plan)
        self._can_be_quicker = plan.gpus_per_member == 0 and missing == members > max(plan.slots, FIRST_LOOK_MEMBERS)
        if self.config.data.train is None and not self._trains_on_arrays:
            self.print_line(built_in_recipe_line(self.config))
            self._announce_first_look()

    def _record_plan(self, plan: Plan) -> None:
        self._plan = plan
        for warning in plan.warnings:
            self.print_warning(warning)
        self.estimate.record_plan(plan)

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        if not self._wait_announced:
            self.print_line(f"Waiting up to {minutes:g} minutes for a node. {reason}")
        self._wait_announced = True

    def on_wait_for_directory(self, reason: str) -> None:
        self.print_line(reason)

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        self._warn_of_lost_attempts(statuses)
        self.estimate.record_members(statuses)
        self._announce_end()
        if self._line_is_due():
            self.print_line(f"{'refits: ' * self._refitting}{members_line(statuses)}{self._all_left()}")

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        self._last_line = time.monotonic()
        accuracy = f" · {percent(record.holdout.accuracy)}" if record.holdout else ""
        self.estimate.record_member_end(record.fit_seconds, metrics)
        ensemble = f" · {ensemble_line(metrics)}" if _is_counted(member_id, metrics) else ""
        self.print_line(f"member {member_id} done{accuracy} · {_time_and_speed(record)}{ensemble}")
        self._print_notes(member_id, record)

    def on_member_failure(self, failure: MemberFailure) -> None:
        self.print_warning(f"member {failure.member_id} was given up after {_attempts(failure)}. {failure.reason}")

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        self.estimate.record_training_end()
        members, searches = self.config.members, self.config.baselines.enabled
        following = ["refits"] * members.refit_on_all + ["searches"] * searches + self.estimate.reports
        verb = "follows" if following == ["report"] else "follow"
        ended = f"Training has ended, {enumeration(following)} {verb}" if following else "Training has ended"
        self.print_line(ended + self._all_left())

    def on_refit_begin(self, plan: Plan, members: int, missing: int) -> None:
        self._refitting = True
        finished = f" ({members - missing} are finished already)" if missing < members else ""
        self.print_line(
            f"Training {missing} of {members} members once more{finished}, on all labelled rows: they will write the "
            "submission and predict. The accuracies stay those of the first networks."
        )
        if self._plan is None:
            self._record_plan(plan)
        self.estimate.record_refit_begin()

    def on_refit_end(self, member_id: int, record: MemberRecord) -> None:
        self._last_line = time.monotonic()
        self.estimate.record_refit_end(record.fit_seconds)
        self.print_line(f"member {member_id} trained once more on all rows · {_time_and_speed(record)}")
        self._print_notes(member_id, record)

    def on_refit_failure(self, failure: MemberFailure) -> None:
        self.print_warning(
            f"the refit of member {failure.member_id} was given up after {_attempts(failure)}; its first network votes "
            f"instead. {failure.reason}"
        )

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        self.estimate.record_searches(statuses)
        if self._line_is_due():
            for status in statuses:
                if status.done < status.trials:
                    self.print_line(search_line(status) + self._all_left())

    def on_baseline_end(self, kind: str, record: BaselineRecord) -> None:
        self._last_line = time.monotonic()
        self.print_line(f"{kind} done · {baseline_line(record)}")

    def on_baseline_failure(self, kind: str, error: str) -> None:
        self.print_warning(f"{kind} could not be fitted, the run goes on without it. {error}")

    def on_report_step(self, step: ReportStep) -> None:
        self.estimate.record_report(step)
        if step.done == 0:
            self.print_line(f"drawing the report{self._all_left()}")

    def on_report_failure(self, error: str) -> None:
        self.print_warning(f"report.html could not be drawn: {error}. All other results are written.")

    def on_tracking_failure(self, error: str) -> None:
        self.print_warning(f"MLflow could not be written to, the run goes on: {error}")

    def print_line(self, line: str) -> None:
        """Prints one line with the time; broken between words on a terminal, never in a log."""
        self.console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=not self.console.is_terminal)

    def print_warning(self, line: str) -> None:
        """Prints one line that should be noticed."""
        text = Text(f"{time.strftime('%H:%M:%S')}  WARNING {line}", style="yellow")
        self.console.print(text, soft_wrap=not self.console.is_terminal)

    def _announce_end(self) -> None:
        """Prints once, as soon as it is known, when the whole run will be done."""
        left = self.estimate.seconds_left()
        if left is None or self._end_announced:
            return
        self._end_announced = True
        when = f"in about {rounded(left)}, at {clock_time(left)}{self.estimate.included}"
        self.print_line(f"All will be done {when}.")
        if left > LONG_SECONDS:
            self._announce_first_look()

    def _announce_first_look(self) -> None:
        if self._can_be_quicker and not self._first_look_announced:
            self._first_look_announced = True
            self.print_line(FIRST_LOOK)

    def _all_left(self) -> str:
        """Returns " · about 85 s left in all", or nothing while that is not known."""
        left = self.estimate.seconds_left()
        return f" · about {rounded(left)} left in all" if left is not None else ""

    def _line_is_due(self) -> bool:
        if time.monotonic() - self._last_line < LOG_SECONDS:
            return False
        self._last_line = time.monotonic()
        return True

    def _print_notes(self, member_id: int, record: MemberRecord) -> None:
        for note in record.notes:
            self.print_warning(f"{self._fit_name} {member_id}: {note}")

    @property
    def _fit_name(self) -> str:
        return "refit of member" if self._refitting else "member"

    def _warn_of_lost_attempts(self, statuses: list[MemberStatus]) -> None:
        for status in statuses:
            next_attempt = (self._fit_name, status.member_id, status.attempt)
            if status.last_failure and status.state != "failed" and next_attempt not in self._announced:
                self._announced.add(next_attempt)
                self.print_warning(
                    f"{self._fit_name} {status.member_id}: {status.last_failure} Attempt {status.attempt} follows."
                )


def _attempts(failure: MemberFailure) -> str:
    return f"{failure.attempts} {'attempt' if failure.attempts == 1 else 'attempts'}"


def _time_and_speed(record: MemberRecord) -> str:
    speed = f", {record.images_per_second:,.0f} images/s" if record.images_per_second else ""
    return f"{record.fit_seconds:.0f} s{speed}"


def _is_counted(member_id: int, metrics: Mapping[str, Any]) -> bool:
    """Returns whether the ensemble of metrics.json has this member: with many of them it may be some seconds old."""
    return any(member["id"] == member_id and member["status"] == "done" for member in metrics["members"])


class QuietProgress(LogProgress):
    """Warnings alone."""

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """Prints nothing; `folds` is (labelled_rows,) int16."""

    def print_line(self, line: str) -> None:
        """Prints nothing."""
