"""Members on real Ray actors: who trains when, and what a kill costs."""

import time
from pathlib import Path

import numpy as np
import pytest
from factories import rows_of, spec_of
from gate import Fault
from processes import kill, member_actors
from training import ONE_SLOT, REAL, TWO_SLOTS, inputs_at, train

from digits_ray.ensemble.predictions import MemberFailure, MemberResult
from digits_ray.scheduling.trainer import RetryPolicy, fit_members


def test_a_killed_actor_is_replaced_and_its_member_resumes_from_its_last_epoch(ray_here: None, tmp_path: Path) -> None:
    """A member's process is killed: real networks."""
    specs = [spec_of(number, seed=number, epochs=12) for number in range(2)]
    undisturbed = train(specs, tmp_path / "calm", a_plan=ONE_SLOT, prepare_fit=REAL)
    killed: list[int] = []

    def kill_all() -> None:
        killed.extend(member_actors())
        for process in killed:
            kill(process)

    disturbed = train(specs, tmp_path / "rough", on_status=Fault(kill_all), prepare_fit=REAL)
    assert len(killed) == 2
    for number in range(2):
        result, expected = disturbed[number], undisturbed[number]
        assert isinstance(result, MemberResult)
        assert isinstance(expected, MemberResult)
        assert np.array_equal(result.prediction.test_proba, expected.prediction.test_proba)
        assert len(result.history) == 12
    again = [result for result in disturbed.values() if result.attempts == 2]
    assert again
    assert max(result.start_epoch for result in again if isinstance(result, MemberResult)) >= 3


@pytest.mark.slow
def test_a_member_that_always_fails_is_given_up_with_its_reason_and_the_others_finish(
    ray_here: None, tmp_path: Path
) -> None:
    specs = [spec_of(0), spec_of(1, architecture="unheard of"), spec_of(2)]
    outcomes = train(specs, tmp_path)
    failure = outcomes[1]
    assert isinstance(failure, MemberFailure)
    assert failure.error_type == "KeyError"
    assert failure.attempts == 2
    assert "unheard of" in failure.message
    assert isinstance(outcomes[0], MemberResult)
    assert isinstance(outcomes[2], MemberResult)


@pytest.mark.slow
def test_a_member_whose_loss_is_no_number_is_not_trained_to_that_end_again(ray_here: None, tmp_path: Path) -> None:
    """A loss that is no number: a real network."""
    specs = [spec_of(0), spec_of(1, learning_rate=1e30, schedule="constant")]
    failure = train(specs, tmp_path, prepare_fit=REAL)[1]
    assert isinstance(failure, MemberFailure)
    assert failure.error_type == "FloatingPointError"
    assert failure.attempts == 1
    assert "learning rate" in failure.message


@pytest.mark.slow
def test_an_actor_trains_one_member_after_another_and_gives_the_numbers_of_a_fresh_one(
    ray_here: None, tmp_path: Path
) -> None:
    """Real networks."""
    from digits_ray.training import fit

    outcomes = train([spec_of(number, seed=number) for number in range(3)], tmp_path, a_plan=ONE_SLOT, prepare_fit=REAL)
    last = outcomes[2]
    assert isinstance(last, MemberResult)
    expected = fit.fit_member(spec_of(2, seed=2), rows_of())
    assert np.allclose(last.prediction.test_proba, expected.prediction.test_proba, atol=1e-4)


@pytest.mark.slow
def test_actors_are_gone_when_the_caller_stops_listening(ray_here: None, tmp_path: Path) -> None:
    specs = [spec_of(n, epochs=1 + 500 * n) for n in range(2)]
    outcomes = fit_members(specs, inputs_at(tmp_path), lambda left: TWO_SLOTS, RetryPolicy())
    next(outcomes)
    outcomes.close()
    deadline = time.monotonic() + 30
    while member_actors() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert member_actors() == []
