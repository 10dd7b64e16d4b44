"""A run's progress as plain lines, for a log or a file."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from digits_ray.cli.terminal.facts import data_facts, facts_table
from digits_ray.cli.terminal.progress_lines import baseline_line, ensemble_line, members_line, search_line
from digits_ray.config import Config, SplitConfig
from digits_ray.data import Data, DataCheck
from digits_ray.ensemble import MemberFailure
from digits_ray.progress import MemberStatus, SearchStatus
from digits_ray.report import ReportStep, percent
from digits_ray.runs import BaselineRecord, MemberRecord, RunCallback
from digits_ray.scheduling import Plan

LOG_SECONDS = 30  # between two lines on progress


class LogProgress(RunCallback):
    """Plain lines on stderr, one an event and one every half minute."""

    def __init__(self, console: Console, split: SplitConfig) -> None:
        self.console, self.split = console, split
        self._last_line = time.monotonic()
        self._wait_announced = False
        self._announced: set[tuple[int, int]] = set()  # attempts that follow a lost one: member, attempt

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        self.split = config.split
        self.print_warning(reason)

    def on_data_progress(self, done: int, total: int) -> None:
        if self._line_is_due():
            self.print_line(f"reading pictures: {done:,} of {total:,}")

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        self.console.print(facts_table(data_facts(data, check, folds, self.split)))

    def on_plan(self, plan: Plan, members: int, missing: int, path: str) -> None:
        finished = f" ({members - missing} are finished already)" if missing < members else ""
        self.print_line(f"Training {missing} of {members} members{finished}: {plan.reason}.")
        self.print_line(f"Results go to {path}")

    def on_gpu_sharing_trial(self, max_members: int) -> None:
        self.print_line(
            f"Trying how many members share a GPU best, up to {max_members};"
            " --gpus-per-member 1 would give each its own."
        )

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        if not self._wait_announced:
            self.print_line(f"Waiting up to {minutes:g} minutes for a node. {reason}")
        self._wait_announced = True

    def on_wait_for_directory(self, reason: str) -> None:
        self.print_line(reason)

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        self._warn_of_lost_attempts(statuses)
        if self._line_is_due():
            self.print_line(members_line(statuses))

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        self._last_line = time.monotonic()
        accuracy = f" · {percent(record.holdout.accuracy)}" if record.holdout else ""
        speed = f", {record.images_per_second:,.0f} images/s" if record.images_per_second else ""
        seconds = f"{record.fit_seconds:.0f} s{speed}"
        self.print_line(f"member {member_id} done{accuracy} · {seconds} · {ensemble_line(metrics)}")
        self._print_notes(member_id, record)

    def on_member_failure(self, failure: MemberFailure) -> None:
        attempts = f"{failure.attempts} {'attempt' if failure.attempts == 1 else 'attempts'}"
        error = f"{failure.error_type}: {failure.message}"
        self.print_warning(f"member {failure.member_id} was given up after {attempts}. {error}")

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        if self._line_is_due():
            for status in statuses:
                if status.done < status.trials:
                    self.print_line(search_line(status))

    def on_baseline_end(self, kind: str, record: BaselineRecord) -> None:
        self._last_line = time.monotonic()
        self.print_line(f"{kind} done · {baseline_line(record)}")

    def on_baseline_failure(self, kind: str, error: str) -> None:
        self.print_warning(f"{kind}: every trial failed. {error}")

    def on_report_step(self, step: ReportStep) -> None:
        if step.done == 0:
            self.print_line("drawing the report")

    def on_report_failure(self, error: str) -> None:
        self.print_warning(f"report.html could not be drawn: {error}. All other results are written.")

    def on_tracking_failure(self, error: str) -> None:
        self.print_warning(f"MLflow could not be written to, the run goes on: {error}")

    def print_line(self, line: str) -> None:
        """Prints one line with the time."""
        self.console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)

    def print_warning(self, line: str) -> None:
        """Prints one line that should be noticed."""
        self.console.print(Text(f"{time.strftime('%H:%M:%S')}  WARNING {line}", style="yellow"), soft_wrap=True)

    def _line_is_due(self) -> bool:
        if time.monotonic() - self._last_line < LOG_SECONDS:
            return False
        self._last_line = time.monotonic()
        return True

    def _print_notes(self, member_id: int, record: MemberRecord) -> None:
        for note in record.notes:
            self.print_warning(f"member {member_id}: {note}")

    def _warn_of_lost_attempts(self, statuses: list[MemberStatus]) -> None:
        for status in statuses:
            next_attempt = (status.member_id, status.attempt)
            if status.last_failure and status.state != "failed" and next_attempt not in self._announced:
                self._announced.add(next_attempt)
                self.print_warning(
                    f"member {status.member_id}: {status.last_failure} Attempt {status.attempt} follows."
                )


class QuietProgress(LogProgress):
    """Warnings alone."""

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """Prints nothing; `folds` is (labelled_rows,) int16."""

    def print_line(self, line: str) -> None:
        """Prints nothing."""
