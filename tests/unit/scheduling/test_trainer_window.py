"""The trainer's window of actors where Ray itself is pretended: what a driver believes that was held up, or waits."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from factories import spec_of

from digits_ray.errors import RunError, UserError
from digits_ray.scheduling import trainer
from digits_ray.scheduling.actor import ActorUpdate
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.retries import Attempt
from digits_ray.scheduling.running_fit import RunningFit
from digits_ray.scheduling.trainer import RetryPolicy, _Window

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
    monkeypatch.setattr(trainer, "ray", ray)
    plan = Plan(slots=1, gpus_per_member=0, cpus_per_member=1, threads=1, reason="")
    made = _Window([spec_of()], None, lambda unfinished: plan, RetryPolicy(**policy))  # type: ignore[arg-type]
    made.queue.clear()
    at = None if heartbeat is None else time.monotonic() + heartbeat
    made.running["fit"] = RunningFit(Actor(), 1, Attempt(spec_of()), "01", pending_poll="answer", last_heartbeat=at)
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

    here._plan = none_left
    if waits:
        with pytest.raises(RunError, match="1 member waits"):
            here._replan()
    else:
        here._replan()
