"""When a whole run will be done, as far as its events tell."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from digits_ray.cli.terminal import time_estimate
from digits_ray.cli.terminal.time_estimate import REPORT_SECONDS, SEARCH_START_SECONDS, TimeEstimate, rounded
from digits_ray.config.schema import BaselinesConfig, Config, MembersConfig, SplitConfig
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import ReportStep
from digits_ray.scheduling.resources import Plan

ALONE = Config(baselines=BaselinesConfig(enabled=False))
PLAN = Plan(slots=2, cpus_per_member=1, gpus_per_member=0, threads=1, reason="2 at a time")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until it is set."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time_estimate.time, "monotonic", lambda: clock.now)
    return clock


def estimate_of(config: Config) -> TimeEstimate:
    estimate = TimeEstimate(config)
    estimate.record_data(1_000_000)
    estimate.record_plan(PLAN)
    return estimate


def training(epoch: float, seconds_left: float | None) -> MemberStatus:
    return MemberStatus(0, "training", progress=Progress(0, epoch, 10, seconds_left=seconds_left))


WAITING = MemberStatus(9, "waiting")


def test_nothing_is_known_before_a_member_knows_its_speed() -> None:
    estimate = estimate_of(ALONE)
    estimate.record_members([training(0.5, None), WAITING])
    assert estimate.seconds_left() is None


def test_members_that_wait_come_after_those_at_work_so_many_at_a_time() -> None:
    estimate = estimate_of(ALONE)
    estimate.record_members([training(5, 30), training(5, 30), WAITING, WAITING, WAITING])  # 60 s each
    assert estimate.seconds_left() == 30 + 2 * 60 + REPORT_SECONDS


def test_members_that_are_done_tell_how_long_the_others_take() -> None:
    estimate = estimate_of(ALONE)
    estimate.record_member_end(40, {"baselines": {}})
    estimate.record_members([MemberStatus(0, "done"), training(5, 30), MemberStatus(2, "starting"), WAITING])
    assert estimate.seconds_left() == (30 + 40) / 2 + 40 + REPORT_SECONDS


def test_refits_are_counted_in_on_all_rows_until_they_are_at_work_themselves() -> None:
    config = replace(ALONE, members=MembersConfig(count=4, refit_on_all=True), split=SplitConfig(holdout=0.2))
    estimate = estimate_of(config)
    estimate.record_members([training(5, 30), training(5, 30), WAITING, WAITING])  # 60 s each, 75 on all rows
    assert estimate.seconds_left() == 30 + 60 + 2 * 75 + REPORT_SECONDS
    assert estimate.included == ", refits and report included"
    refits = [{"refit": {"status": status}} for status in ("waiting", "done", "waiting", "done")]
    estimate.record_member_end(40, {"baselines": {}, "members": refits})
    estimate.record_training_end()
    assert estimate.seconds_left() == 50 + REPORT_SECONDS
    estimate.record_refit_begin()
    estimate.record_members([training(5, 25), training(9, 5)])
    assert estimate.seconds_left() == 25 + REPORT_SECONDS


def test_the_last_one_at_work_decides_when_none_waits() -> None:
    estimate = estimate_of(ALONE)
    estimate.record_members([training(9, 3), training(5, 30)])
    assert estimate.seconds_left() == 30 + REPORT_SECONDS


def test_what_is_left_becomes_less_between_two_events_and_never_negative(clock: SimpleNamespace) -> None:
    estimate = estimate_of(ALONE)
    estimate.record_training_end()
    clock.now = 5.0
    assert estimate.seconds_left() == REPORT_SECONDS - 5
    clock.now = 500.0
    assert estimate.seconds_left() == 0


def test_searches_are_counted_in_unless_they_are_not_wanted_or_done_already() -> None:
    estimate = estimate_of(Config())
    estimate.record_training_end()
    assert (estimate.seconds_left() or 0) > SEARCH_START_SECONDS + REPORT_SECONDS
    estimate.record_member_end(40, {"baselines": {kind: {"status": "done"} for kind in ("knn", "tree", "forest")}})
    estimate.record_training_end()
    assert estimate.seconds_left() == REPORT_SECONDS


def test_trials_that_are_done_tell_how_long_the_searches_take(clock: SimpleNamespace) -> None:
    estimate, search = estimate_of(Config()), SearchStatus("knn", 10, 0, 2, 0, None, "")
    estimate.record_searches([search])
    clock.now = 60.0
    estimate.record_searches([replace(search, done=5)])
    assert estimate.seconds_left() == 60 + REPORT_SECONDS
    estimate.record_report(ReportStep("network", 3, 9))
    assert estimate.seconds_left() == pytest.approx(REPORT_SECONDS * 6 / 9)


def test_an_estimate_is_no_more_precise_than_it_is() -> None:
    assert [rounded(seconds) for seconds in (0, 12, 83, 150, 7200)] == ["5 s", "10 s", "85 s", "2.5 min", "2.0 h"]


def test_the_time_of_day_has_a_date_where_it_is_another_day() -> None:
    assert len(time_estimate.clock_time(0)) == len("05:03")
    assert len(time_estimate.clock_time(100_000)) == len("2026-11-28 05:03")
