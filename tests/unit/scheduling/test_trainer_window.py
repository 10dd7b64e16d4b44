"""The trainer's window of actors where Ray itself is pretended: what a driver believes that was held up, or waits."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from factories import spec_of
from run_directories import result_of

from digits_ray.ensemble import MemberFailure
from digits_ray.errors import RunError, UserError
from digits_ray.progress import MemberStatus, Progress
from digits_ray.scheduling import running_fit, trainer
from digits_ray.scheduling.actor import Activity, ActorUpdate, SavedEpoch
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.retries import Attempt
from digits_ray.scheduling.running_fit import RunningFit
from digits_ray.scheduling.stacks import Stack
from digits_ray.scheduling.trainer import RetryPolicy, _Window
from digits_ray.storage import SavedEpochs, Store

LONG_AGO = -1000.0  # seconds


@dataclass
class PretendedRay:
    """Answers by their references; what has no answer is still to come."""

    answers: dict[str, Any] = field(default_factory=dict)
    killed: list[Any] = field(default_factory=list)

    def wait(self, references: list[str], num_returns: int = 1, timeout: float = 0) -> tuple[list[str], list[str]]:
        ready = [one for one in references if one in self.answers]
        return ready, [one for one in references if one not in ready]

    def get(self, reference: str) -> Any:
        return self.answers[reference]

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)


class Actor:
    class latest_update:  # noqa: N801  # called as Ray's actors are
        @staticmethod
        def remote() -> str:
            return "next answer"


def window(monkeypatch, ray: PretendedRay, heartbeat: float | None, **policy: float) -> _Window:
    """A window whose one member was last heard so many seconds from now, with a question under way."""
    for module in (trainer, running_fit):
        monkeypatch.setattr(module, "ray", ray)
    plan = Plan(slots=1, gpus_per_member=0, cpus_per_member=1, threads=1, reason="")
    made = _Window([spec_of()], None, lambda unfinished: plan, RetryPolicy(**policy))  # type: ignore[arg-type]
    made.queue.clear()
    at = None if heartbeat is None else time.monotonic() + heartbeat
    made.running["fit"] = RunningFit(Actor(), 1, (Attempt(spec_of()),), "01", pending_poll="answer", last_heartbeat=at)
    return made


def test_a_driver_that_was_held_up_takes_the_answers_that_wait_before_it_calls_an_actor_silent(monkeypatch) -> None:
    ray = PretendedRay({"answer": ActorUpdate()})
    here = window(monkeypatch, ray, LONG_AGO)
    assert list(here.wait()) == []
    assert not ray.killed
    assert here.running["fit"].silent_for() < 1


def test_an_actor_that_leaves_the_question_unanswered_is_replaced(monkeypatch) -> None:
    ray = PretendedRay()
    here = window(monkeypatch, ray, LONG_AGO)
    assert list(here.wait()) == []
    assert len(ray.killed) == 1
    assert [attempt.number for attempt in here.queue] == [2]


@pytest.mark.parametrize(("heartbeat", "waits"), [(None, True), (-1.0, False)])
def test_a_member_whose_actor_never_started_waits_for_a_node_like_one_in_the_queue(
    monkeypatch, heartbeat, waits
) -> None:
    here = window(monkeypatch, PretendedRay(), heartbeat, no_node_timeout=-1.0)

    def none_left(unfinished: int) -> Plan:
        raise UserError("no node")

    here.current._make_plan = none_left
    if waits:
        with pytest.raises(RunError, match="1 member waits"):
            here._look_at_nodes()
    else:
        here._look_at_nodes()


def failure_of(here: _Window) -> str:
    """Lets the window look at its actors; returns why the member was tried again."""
    assert list(here.wait()) == []
    assert [attempt.number for attempt in here.queue] == [2]
    return here.status[0].last_failure


def test_a_process_that_never_answers_after_its_start_is_replaced(monkeypatch) -> None:
    here = window(monkeypatch, PretendedRay(), heartbeat=None)
    here.running["fit"].placed = time.monotonic() - 10
    assert list(here.wait()) == []
    assert "fit" in here.running
    here.policy = RetryPolicy(start_timeout=5)
    assert failure_of(here) == "StartTimeout: its process has not answered for 10 s since it was started."
    assert here.queue[0].losses == 1


def test_an_actor_that_ray_does_not_start_is_asked_for_anew_and_nobody_is_blamed(monkeypatch) -> None:
    ray = PretendedRay()
    here = window(monkeypatch, ray, heartbeat=None, start_timeout=5, placement_timeout=60)
    here.running["fit"].started -= 50
    assert list(here.wait()) == []
    assert not ray.killed
    here.running["fit"].started -= 50
    assert failure_of(here).startswith("NotPlaced: Ray has not started its process for 100 s.")
    assert (here.queue[0].losses, here.queue[0].failures) == (0, 0)
    assert len(ray.killed) == 1


@pytest.mark.parametrize(
    ("calls", "longest", "idle", "replaced"),
    [
        (0, 0.0, 14, False),
        (0, 0.0, 16, True),  # compiles for longer than 15 s
        (9, 0.1, 4, False),
        (9, 0.1, 6, True),  # 5 s at least
        (9, 2.0, 19, False),
        (9, 2.0, 21, True),  # ten times the longest
    ],
)
def test_a_fit_that_gets_no_further_while_its_process_answers_is_replaced(
    monkeypatch, calls: int, longest: float, idle: float, replaced: bool
) -> None:
    ray = PretendedRay()
    here = window(monkeypatch, ray, heartbeat=0.0, first_call_timeout=15, call_timeout=5, call_factor=10)
    ray.answers["answer"] = ActorUpdate(activity=Activity(calls, idle, longest))
    here.poll()
    assert list(here.wait()) == []
    assert bool(ray.killed) == replaced
    if replaced:
        assert here.status[0].last_failure.startswith(f"Stall: no call into the backend has ended for {idle} s")
        assert (here.queue[0].failures == 1) == (calls == 0)  # what never got on may be to blame itself


def test_once_nothing_can_start_no_further_process_is_tried(monkeypatch) -> None:
    monkeypatch.setattr(trainer, "ray", PretendedRay())
    plan = Plan(slots=2, gpus_per_member=0, cpus_per_member=1, threads=1, reason="")
    here = _Window([spec_of(number) for number in range(20)], None, lambda unfinished: plan, RetryPolicy())  # type: ignore[arg-type]
    started: list[int] = []

    def start(actor: Any, stack: Stack) -> None:
        started.append(stack.attempts[0].member_id)
        here.running[len(started)] = RunningFit(Actor(), 1, stack.attempts, "01")

    monkeypatch.setattr(here, "_start", start)
    monkeypatch.setattr(here, "_new_actor", lambda attempt: Actor())
    given_up: list[Any] = []
    while here.unfinished():
        here.fill()
        fit = here.running.pop(next(iter(here.running)))
        attempt = fit.attempts[0]
        broken = MemberFailure(attempt.member_id, "ImportError", "libx.so", attempt.number, origin="a.py:1, in f")
        given_up.extend(here._retry_or_give_up(fit, [broken]))
    assert sorted(failure.member_id for failure in given_up) == list(range(20))
    assert {failure.reason for failure in given_up} == {"ImportError: libx.so (a.py:1, in f)"}
    assert len(started) <= 4
    assert {status.state for status in here.statuses()} == {"failed"}


def test_where_some_process_has_started_each_member_gets_its_own_two_tries(monkeypatch) -> None:
    here = window(monkeypatch, PretendedRay({"answer": ActorUpdate()}), heartbeat=0.0)
    here.poll()
    here.queue.extend([Attempt(spec_of(1)), Attempt(spec_of(2))])
    broken = MemberFailure(1, "ImportError", "libx.so", 1, origin="a.py:1, in f")
    for _ in range(2):
        given_up = list(here._retry_or_give_up(RunningFit(Actor(), 1, (here.queue.popleft(),), "01"), [broken]))
    assert [failure.member_id for failure in given_up] == [1]
    assert [attempt.member_id for attempt in here.queue] == [2]


def test_a_fit_that_fails_before_the_driver_has_asked_shows_that_processes_can_start(monkeypatch) -> None:
    broken = MemberFailure(0, "ValueError", "odd sides", 1, origin="mine.py:7, in layers")
    ray = PretendedRay({"fit": [broken]})
    monkeypatch.setattr(running_fit, "ray", ray)
    here = window(monkeypatch, ray, heartbeat=None)
    assert list(here.wait()) == []
    assert here.start_failures.any_started
    here.queue.append(Attempt(spec_of(1)))
    here.running["fit"] = RunningFit(Actor(), 1, (here.queue.popleft(),), "02")
    assert list(here.wait()) == [replace(broken, attempts=2)]
    assert [attempt.member_id for attempt in here.queue] == [1]


def a_stack(monkeypatch, outcome: Any) -> _Window:
    """A window in which three members are one stack, whose process has ended with this."""
    ray = PretendedRay({"fit": outcome})
    monkeypatch.setattr(running_fit, "ray", ray)
    here = window(monkeypatch, ray, heartbeat=0.0)
    here.status = {number: MemberStatus(number, "training") for number in range(3)}
    here.running["fit"].attempts = tuple(Attempt(spec_of(number)) for number in range(3))
    here.running["fit"].last_heartbeat = time.monotonic()
    return here


def test_a_member_of_a_stack_that_fails_costs_the_others_nothing(monkeypatch) -> None:
    diverged = MemberFailure(1, "FloatingPointError", "the loss is nan", 1)
    here = a_stack(monkeypatch, [result_of(0), diverged, result_of(2)])
    outcomes = list(here.wait())
    assert [outcome.member_id for outcome in outcomes] == [0, 2, 1]
    assert outcomes[2] == diverged
    assert [status.state for status in here.statuses()] == ["done", "failed", "done"]
    assert not here.unfinished()


def test_the_members_of_a_stack_whose_process_is_lost_wait_in_their_order_with_none_to_blame(monkeypatch) -> None:
    here = a_stack(monkeypatch, [MemberFailure(number, "ActorDiedError", "", 1, lost=True) for number in range(3)])
    assert list(here.wait()) == []
    assert [attempt.member_id for attempt in here.queue] == [0, 1, 2]
    assert {(attempt.number, attempt.failures, attempt.losses) for attempt in here.queue} == {(2, 0, 1)}


def test_progress_of_a_stack_is_that_of_each_member(monkeypatch) -> None:
    here = a_stack(monkeypatch, [])
    progress = tuple(Progress(number, 1.5 + number, 4) for number in range(4))  # one of a fit before
    here.running["fit"].pending_poll = "answer"
    trainer.ray.answers["answer"] = ActorUpdate(progress)  # type: ignore[attr-defined]
    here.poll()
    assert [status.progress for status in here.statuses()] == list(progress[:3])
    assert [here.running["fit"].epochs(attempt) for attempt in here.running["fit"].attempts] == [1, 2, 3]


def test_epochs_that_a_stack_hands_over_are_saved_for_each_member(monkeypatch, tmp_path: Path) -> None:
    here = a_stack(monkeypatch, [])
    here.inputs, here.running["fit"].attempt_name = inputs_with_store(tmp_path), "01-a"
    here.running["fit"].pending_poll = "answer"
    handed = tuple(SavedEpoch(number, 2, b"state") for number in range(4))  # one of a fit before
    trainer.ray.answers["answer"] = ActorUpdate(saved=handed)  # type: ignore[attr-defined]
    here.poll()
    epochs = [SavedEpochs(here.inputs.store, number, "").latest_epoch() for number in range(4)]
    assert epochs == [2, 2, 2, 0]


def inputs_with_store(folder: Path) -> Any:
    """What actors are given, of which the driver saves to the store alone."""
    return SimpleNamespace(store=Store.at(str(folder)))
