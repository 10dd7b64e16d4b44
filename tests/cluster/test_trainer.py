"""Members on real Ray actors: who trains when, and what a kill costs."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from factories import CLASSES, rows_of, spec_of
from processes import kill, member_actors

from digits_ray.config import MemberSpec
from digits_ray.data import Rows, share
from digits_ray.predictions import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.resources import Plan, plan
from digits_ray.session import nodes
from digits_ray.store import Store
from digits_ray.trainer import Shared, fit_members

TWO_SLOTS = Plan(slots=2, cpus_per_member=1, gpus_per_member=0, threads=1, reason="")


def train(
    specs: list[MemberSpec],
    place: Path,
    rows: Rows | None = None,
    a_plan: Plan = TWO_SLOTS,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
) -> dict[int, MemberResult | MemberFailure]:
    shared = Shared(share(rows or rows_of()), CLASSES, Store.at(str(place)))
    outcomes = list(fit_members(specs, shared, lambda: a_plan, max_attempts=2, on_status=on_status))
    assert len(outcomes) == len(specs)
    return {outcome.member_id: outcome for outcome in outcomes}


def test_a_killed_actor_is_replaced_and_its_member_resumes_from_its_last_epoch(ray_here: None, tmp_path: Path) -> None:
    specs = [spec_of(number, seed=number, epochs=24) for number in range(2)]
    undisturbed = train(specs, tmp_path / "calm")
    killed: list[int] = []

    def kill_once(statuses: list[MemberStatus]) -> None:
        far = [status for status in statuses if status.progress and status.progress.epoch > 3]
        if far and not killed:
            killed.extend(member_actors())
            for process in killed:
                kill(process)

    disturbed = train(specs, tmp_path / "rough", on_status=kill_once)
    assert len(killed) == 2
    for number in range(2):
        result, expected = disturbed[number], undisturbed[number]
        assert isinstance(result, MemberResult)
        assert isinstance(expected, MemberResult)
        assert np.array_equal(result.prediction.test_proba, expected.prediction.test_proba)
        assert len(result.history) == 24
    again = [result for result in disturbed.values() if result.attempts == 2]
    assert again
    assert max(result.start_epoch for result in again if isinstance(result, MemberResult)) >= 3


def test_a_member_that_always_fails_is_given_up_with_its_reason_and_the_others_finish(
    ray_here: None, tmp_path: Path
) -> None:
    specs = [spec_of(0), spec_of(1, learning_rate=1e30, schedule="constant"), spec_of(2)]
    outcomes = train(specs, tmp_path)
    failure = outcomes[1]
    assert isinstance(failure, MemberFailure)
    assert failure.error_type == "FloatingPointError"
    assert failure.attempts == 2
    assert "learning rate" in failure.message
    assert isinstance(outcomes[0], MemberResult)
    assert isinstance(outcomes[2], MemberResult)


def test_an_actor_trains_one_member_after_another_and_gives_the_numbers_of_a_fresh_one(
    ray_here: None, tmp_path: Path
) -> None:
    from digits_ray import member

    one_slot = Plan(slots=1, cpus_per_member=1, gpus_per_member=0, threads=1, reason="")
    outcomes = train([spec_of(number, seed=number) for number in range(3)], tmp_path, a_plan=one_slot)
    last = outcomes[2]
    assert isinstance(last, MemberResult)
    expected = member.fit_member(spec_of(2, seed=2), rows_of())
    assert np.allclose(last.prediction.test_proba, expected.prediction.test_proba, atol=1e-4)


@pytest.mark.timeout(900)
def test_24_members_at_a_quarter_of_4_gpus_each_all_finish(ray_with_gpus: None, tmp_path: Path) -> None:
    a_plan = plan(nodes(), members=24, gpus_per_member=0.25, cpus_per_member="auto")
    assert a_plan.slots == 16
    most_at_once = 0

    def watch(statuses: list[MemberStatus]) -> None:
        nonlocal most_at_once
        most_at_once = max(most_at_once, sum(status.state in ("starting", "training") for status in statuses))

    specs = [spec_of(number, seed=number, epochs=1) for number in range(24)]
    outcomes = train(specs, tmp_path, rows_of(60, 12), a_plan, watch)
    assert all(isinstance(outcome, MemberResult) for outcome in outcomes.values())
    assert most_at_once == 16


def test_actors_are_gone_when_the_caller_stops_listening(ray_here: None, tmp_path: Path) -> None:
    shared = Shared(share(rows_of()), CLASSES, Store.at(str(tmp_path)))
    outcomes = fit_members([spec_of(n, epochs=1 + 500 * n) for n in range(2)], shared, lambda: TWO_SLOTS, 2)
    next(outcomes)
    outcomes.close()
    deadline = time.monotonic() + 30
    while member_actors() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert member_actors() == []
