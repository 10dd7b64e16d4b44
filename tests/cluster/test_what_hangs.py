"""Processes that cannot start, freeze before their first answer, or answer while their fit gets no further."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import ray
from factories import same, spec_of
from processes import member_actors
from training import ONE_SLOT, results, train

from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.progress import MemberStatus
from digits_ray.scheduling.ray_internals import has_process
from digits_ray.scheduling.retries import RetryPolicy

pytestmark = pytest.mark.slow


def test_a_process_that_can_never_start_is_given_up_at_once_with_its_error(ray_here: None, tmp_path: Path) -> None:
    started: set[tuple[int, int]] = set()

    def watch(statuses: list[MemberStatus]) -> None:
        started.update((status.member_id, status.attempt) for status in statuses if status.state == "starting")

    specs = [spec_of(number) for number in range(6)]
    outcomes = train(specs, tmp_path, on_status=watch, prepare_fit="numpy_fit:prepare_without_library")
    for failure in outcomes.values():
        assert isinstance(failure, MemberFailure)
        assert failure.error_type == "ImportError"
        assert failure.message == "libmissing.so.2: cannot open shared object file"
        assert "numpy_fit.py:" in failure.origin
        assert failure.origin.endswith("in prepare_without_library")
    assert len(started) <= 4


def test_a_process_frozen_before_its_first_answer_is_replaced(ray_here: None, tmp_path: Path) -> None:
    frozen: list[int] = []
    earlier = set(member_actors())  # that are just ending

    def freeze(statuses: list[MemberStatus]) -> None:
        if not frozen:
            frozen.extend([process for process in member_actors() if process not in earlier][:1])
            for process in frozen:
                os.kill(process, signal.SIGSTOP)

    policy = RetryPolicy(start_timeout=8)
    try:
        found = train(
            [spec_of()],
            tmp_path,
            a_plan=ONE_SLOT,
            on_status=freeze,
            policy=policy,
            prepare_fit="numpy_fit:prepare_slowly",
        )
    finally:
        for process in frozen:
            with suppress(ProcessLookupError):  # as a rule Ray has ended it
                os.kill(process, signal.SIGKILL)
    assert len(frozen) == 1
    assert results(found)[0].attempts > 1


def test_a_fit_that_gets_no_further_goes_on_in_a_fresh_process(ray_here: None, tmp_path: Path) -> None:
    reasons: set[str] = set()

    def watch(statuses: list[MemberStatus]) -> None:
        reasons.update(status.last_failure for status in statuses)

    spec, policy = spec_of(epochs=6), RetryPolicy(call_timeout=10, call_factor=2)
    undisturbed = results(train([spec], tmp_path / "calm"))[0]
    hanging = "numpy_fit:prepare_hanging_fit"
    found = results(train([spec], tmp_path / "rough", on_status=watch, policy=policy, prepare_fit=hanging))[0]
    assert found.attempts > 1
    assert found.start_epoch >= 2
    assert any(reason.startswith("Stall: no call into the backend has ended for ") for reason in reasons)
    assert same(found, undisturbed)


def test_an_actor_for_which_there_is_no_room_has_no_process_until_there_is(ray_here: None, tmp_path: Path) -> None:
    """As where another program on the cluster holds the GPU."""

    @ray.remote(num_cpus=1)
    class Holder:
        def hold(self) -> None:
            pass

    cpus = int(ray.cluster_resources()["CPU"])
    holders = [Holder.remote() for _ in range(cpus)]  # type: ignore[attr-defined]
    ray.get([holder.hold.remote() for holder in holders])
    waiting = Holder.remote()  # type: ignore[attr-defined]
    time.sleep(1)
    assert [has_process(holder) for holder in holders] == [True] * cpus
    assert not has_process(waiting)
    reasons: set[str] = set()

    def watch(statuses: list[MemberStatus]) -> None:
        reasons.update(status.last_failure for status in statuses)
        if any(reason.startswith("NotPlaced") for reason in reasons):
            for holder in [*holders, waiting]:
                ray.kill(holder)

    found = train([spec_of()], tmp_path, a_plan=ONE_SLOT, on_status=watch, policy=RetryPolicy(placement_timeout=3))
    assert results(found)[0].attempts >= 2
    assert any("`ray status` shows" in reason for reason in reasons)
