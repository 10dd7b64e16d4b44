"""When the whole run will be done: its members, their refits, its searches and its report."""

import math
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from digits_ray.config import BASELINE_KINDS, Config, SplitConfig
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep, duration
from digits_ray.scheduling import Plan

# Measured on two cores, the searches on 1,293 and on 37,800 rows of 28×28 pixels (docs/benchmarks.md).
SEARCH_START_SECONDS = 10.0  # of Tune, its processes and their imports
SEARCH_CPU_SECONDS = 1.5e-5  # an image's pixel
# docs/benchmarks.md, "Drawing a report": twenty members, Kaggle's rows, two cores: 7.2, 7.5 and 8.8 s. Some of it is
# drawn while Ray ends; how long the rest takes beside a GPU is not measured.
REPORT_SECONDS = 8.0

SEARCH_FRACTION = 0.25  # of the trials: from so many on, those that are done tell how long the others take
SHORTEST = 5  # seconds; what is left is a multiple of them


class TimeEstimate:
    """How long the run will still take, from what its events tell. Unknown until the first members' speed is known."""

    def __init__(self, config: Config, report: bool = True) -> None:
        self._config = config
        self.reports = ["report"] * report  # that the run ends with: one, or none
        self._report_seconds = REPORT_SECONDS * report
        self._pixels = 0  # of all labelled rows together
        self._slots, self._cpus = 1, 1.0
        self._member_seconds: list[float] = []  # of those that this command has trained
        self._refits = config.members.count if config.members.refit_on_all else 0  # that follow the members
        self._searched: set[str] = set()  # baselines that are finished
        self._search_started: float | None = None
        self._end: float | None = None  # time.monotonic()
        self.included = ""  # what follows and is counted in, e.g. ", searches and report included"

    def record_data(self, pixels: int) -> None:
        """Takes the pixels of all labelled rows together."""
        self._pixels = pixels

    def record_plan(self, plan: Plan) -> None:
        """Takes how many members train at the same time."""
        self._slots = plan.members_at_once
        self._cpus = sum(node.cpus for node in plan.nodes) or plan.slots * plan.cpus_per_member

    def record_members(self, statuses: list[MemberStatus]) -> None:
        """Takes how far the members are."""
        one_fit = _seconds_of_a_fit(statuses, self._member_seconds)
        if one_fit is None:
            return
        seconds, refits = _members_seconds(statuses, one_fit, self._slots), self._refit_seconds(one_fit)
        searches = self._search_seconds()
        self._set_seconds_left(seconds + refits + searches + self._report_seconds)
        self.included = _included(["refits"] * bool(refits) + ["searches"] * bool(searches) + self.reports)

    def record_member_end(self, fit_seconds: float, metrics: Mapping[str, Any]) -> None:
        """Takes how long a member has trained, and which baselines an earlier command has finished."""
        self._member_seconds.append(fit_seconds)
        self._searched = {kind for kind, record in metrics["baselines"].items() if record.get("status") == "done"}
        refits = [member["refit"]["status"] for member in metrics.get("members", []) if "refit" in member]
        self._refits = refits.count("waiting")

    def record_training_end(self) -> None:
        """All members are finished."""
        refits = self._refit_seconds(median(self._member_seconds)) if self._member_seconds else 0.0
        self._set_seconds_left(refits + self._search_seconds() + self._report_seconds)

    def record_refit_begin(self) -> None:
        """From here on, the refits are what `record_members` gets."""
        self._refits = 0

    def record_refit_end(self, fit_seconds: float) -> None:
        """Takes how long a refit has trained."""
        self._member_seconds.append(fit_seconds)

    def record_searches(self, statuses: list[SearchStatus]) -> None:
        """Takes how far the searches are."""
        now, expected = time.monotonic(), self._search_seconds()
        started = self._search_started = now if self._search_started is None else self._search_started
        done = sum(status.done for status in statuses) / sum(status.trials for status in statuses)
        left = (now - started) * (1 - done) / done if done >= SEARCH_FRACTION else expected - (now - started)
        self._set_seconds_left(max(left, expected * (1 - done) / 4) + self._report_seconds)
        self.included = _included(self.reports)

    def record_report(self, step: ReportStep) -> None:
        """Takes how far the report is."""
        self._set_seconds_left(REPORT_SECONDS * (1 - step.done / step.total))
        self.included = ""

    def seconds_left(self) -> float | None:
        """Returns how long the whole run will still take; None where nothing tells it yet."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def _set_seconds_left(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def _refit_seconds(self, one_fit: float) -> float:
        rounds = math.ceil(self._refits / max(1, self._slots))
        return rounds * one_fit / _trained_part(self._config.split)

    def _search_seconds(self) -> float:
        if not self._config.baselines.enabled or set(BASELINE_KINDS) <= self._searched:
            return 0.0
        return SEARCH_START_SECONDS + SEARCH_CPU_SECONDS * self._pixels / self._cpus


def enumeration(stages: list[str]) -> str:
    """Returns stages that follow as words, e.g. "refits, searches and report"; the report alone is "the report"."""
    if stages == ["report"]:
        return "the report"
    return " and ".join(filter(None, [", ".join(stages[:-1]), *stages[-1:]]))


def _included(stages: list[str]) -> str:
    return f", {enumeration(stages)} included" if stages else ""


def _trained_part(split: SplitConfig) -> float:
    """Returns the part of the labelled rows that a member trains on, and its refit on all of them."""
    return 1 - (1 / split.folds if split.scheme == "kfold" else split.holdout)


def _seconds_of_a_fit(statuses: list[MemberStatus], finished: list[float]) -> float | None:
    """Returns how long a member trains in all; None while no speed is known.

    Args:
        statuses: Of all members that this command trains.
        finished: How many seconds each of those that are done has trained.
    """
    estimates = [left / (1 - p.epoch / p.epochs) for p, left in _training(statuses)]
    return median(finished or estimates) if finished or estimates else None


def _members_seconds(statuses: list[MemberStatus], one_fit: float, slots: int) -> float:
    """Returns how long the members will still take.

    Args:
        statuses: Of all members that this command trains.
        one_fit: How many seconds each trains in all.
        slots: How many train at the same time.
    """
    waiting = sum(status.state == "waiting" for status in statuses)
    at_work = [left for _, left in _training(statuses)]
    at_work += [one_fit] * sum(status.state == "starting" for status in statuses)
    if not waiting:
        return max(at_work, default=0.0)
    return sum(at_work) / max(1, len(at_work)) + math.ceil(waiting / max(1, slots)) * one_fit


def _training(statuses: list[MemberStatus]) -> list[tuple[Progress, float]]:
    """Returns the members in training whose speed is known, with the seconds that each has left."""
    progress = [s.progress for s in statuses if s.state == "training" and s.progress]
    return [(p, p.seconds_left) for p in progress if p.seconds_left is not None and p.epoch < p.epochs]


def rounded(seconds: float) -> str:
    """Returns "5 s", "85 s", "2.5 min": no more precise than an estimate is."""
    if seconds < 90:
        seconds = max(SHORTEST, SHORTEST * round(seconds / SHORTEST))
    return duration(seconds)


def clock_time(seconds: float) -> str:
    """Returns the time of day in so many seconds, e.g. "05:03"; with the date where that is another one."""
    now, then = time.time(), time.time() + seconds
    same_day = time.localtime(now)[:3] == time.localtime(then)[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", time.localtime(then))
