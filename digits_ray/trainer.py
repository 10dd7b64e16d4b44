"""Many fits: a queue of members, a window of live actors, a fresh actor for each one that dies.

The driver replaces what died, not Ray's restart counter, which can burn out before the loss of a node is noticed; the
successor resumes from the last saved epoch.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError

from digits_ray.actor import MemberActor
from digits_ray.config import MemberSpec
from digits_ray.device import DeviceShare
from digits_ray.predictions import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus, Progress
from digits_ray.resources import Plan
from digits_ray.store import Store

if TYPE_CHECKING:
    from ray.data import Dataset

POLL_SECONDS = 0.5  # how often the driver looks at its actors
REPLAN_SECONDS = 5.0  # how often it looks for nodes that have joined or left

Outcome = MemberResult | MemberFailure


@dataclass(frozen=True)
class Shared:
    """What every actor is given."""

    dataset: "Dataset"
    num_classes: int
    store: Store


def fit_members(
    specs: list[MemberSpec],
    shared: Shared,
    plan: Callable[[], Plan],
    max_attempts: int,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
) -> Generator[Outcome, None, None]:
    """Trains members on a window of actors and yields each as it ends, in any order.

    Args:
        specs: The members to train.
        shared: What every actor is given.
        plan: Asked again while members wait, so that a node that joins late helps at once.
        max_attempts: Of one member, before it is given up as a `MemberFailure`.
        on_status: Told about every member, about twice a second.
    """
    window, told = _Window(specs, shared, plan, max_attempts), 0.0
    try:
        while window.unfinished():
            window.fill()
            yield from window.wait()
            if time.monotonic() - told >= POLL_SECONDS:  # members may end much faster than that
                told = time.monotonic()
                window.ask_progress()
                on_status(window.statuses())
        on_status(window.statuses())
    finally:
        window.close()


@dataclass
class _Seat:
    """One live actor and the member it trains."""

    actor: Any
    spec: MemberSpec
    attempt: int
    asked: Any = None  # the pending answer to "how far are you?"
    progress: Progress | None = None


class _Window:
    """The queue, the live actors and what each is doing."""

    def __init__(self, specs: list[MemberSpec], shared: Shared, plan: Callable[[], Plan], max_attempts: int) -> None:
        self.queue = deque((spec, 1) for spec in specs)
        self.shared, self.max_attempts = shared, max_attempts
        self._plan, self.plan, self._planned = plan, plan(), time.monotonic()
        self.seats: dict[Any, _Seat] = {}  # by the reference of the running fit
        self.status = {spec.member_id: MemberStatus(spec.member_id, "waiting") for spec in specs}

    def unfinished(self) -> bool:
        return bool(self.queue or self.seats)

    def fill(self) -> None:
        """Starts actors until every slot of the plan is taken or no member waits."""
        if self.queue and time.monotonic() - self._planned > REPLAN_SECONDS:
            self.plan, self._planned = self._plan(), time.monotonic()
        while self.queue and len(self.seats) < self.plan.slots:
            self._assign(self._new_actor(), *self.queue.popleft())

    def wait(self) -> Iterator[Outcome]:
        """Waits for a moment or until a member ends; yields those that did, and sends their actors on to the next."""
        fits = list(self.seats)
        ray.wait(fits, timeout=POLL_SECONDS)
        finished, _ = ray.wait(fits, num_returns=len(fits), timeout=0)
        for reference in finished:
            seat = self.seats.pop(reference)
            outcome = _outcome(reference, seat)
            if isinstance(outcome, MemberResult):
                self._free(seat.actor)
                self.status[outcome.member_id] = replace(self.status[outcome.member_id], state="done")
                yield outcome
            else:
                yield from self._retry_or_give_up(seat, outcome)

    def statuses(self) -> list[MemberStatus]:
        return list(self.status.values())

    def close(self) -> None:
        """Ends every actor at once: their GPUs and CPUs are free for others."""
        for seat in self.seats.values():
            ray.kill(seat.actor)
        self.seats.clear()

    def _new_actor(self) -> Any:
        plan = self.plan
        share = DeviceShare(plan.threads, plan.gpus_per_member, plan.data_gib_per_member)
        options = MemberActor.options(  # type: ignore[attr-defined]  # ray.remote has no types here
            num_cpus=plan.cpus_per_member,
            num_gpus=plan.gpus_per_member,
            scheduling_strategy="SPREAD",
            max_concurrency=2,  # fit, and progress beside it
        )
        return options.remote(self.shared.dataset, self.shared.num_classes, share, self.shared.store)

    def _assign(self, actor: Any, spec: MemberSpec, attempt: int) -> None:
        name = f"{attempt:02d}-{uuid.uuid4().hex[:8]}"
        self.seats[actor.fit.remote(spec, name)] = _Seat(actor, spec, attempt)
        before = self.status[spec.member_id]
        self.status[spec.member_id] = replace(before, state="starting", attempt=attempt, progress=None)

    def _free(self, actor: Any) -> None:
        """Gives the actor the next member; with none left, its last handle goes and so does the process."""
        if self.queue and len(self.seats) < self.plan.slots:
            self._assign(actor, *self.queue.popleft())

    def _retry_or_give_up(self, seat: _Seat, failure: MemberFailure) -> Iterator[Outcome]:
        ray.kill(seat.actor)  # whatever state it is in, and it may only be cut off
        trouble = f"{failure.error_type}: {failure.message}"
        if seat.attempt < self.max_attempts:
            self.queue.appendleft((seat.spec, seat.attempt + 1))
            status = MemberStatus(seat.spec.member_id, "waiting", seat.attempt + 1, trouble=trouble)
        else:
            status = MemberStatus(seat.spec.member_id, "failed", seat.attempt, trouble=trouble)
            yield failure
        self.status[seat.spec.member_id] = status

    def ask_progress(self) -> None:
        """Takes the answers that have come, and asks again who has answered."""
        asked = [seat.asked for seat in self.seats.values() if seat.asked is not None]
        answered = set(ray.wait(asked, num_returns=len(asked), timeout=0)[0]) if asked else set()
        for seat in self.seats.values():
            if seat.asked in answered:
                self._note_progress(seat)
            if seat.asked is None:
                seat.asked = seat.actor.progress.remote()

    def _note_progress(self, seat: _Seat) -> None:
        asked, seat.asked = seat.asked, None
        try:
            progress = ray.get(asked)
        except RayError:
            return  # the fit's own reference tells of a death
        if progress and progress.member_id == seat.spec.member_id:
            before = self.status[progress.member_id]
            self.status[progress.member_id] = replace(before, state="training", progress=progress)


def _outcome(reference: Any, seat: _Seat) -> Outcome:
    """Turns whatever came of a fit into a result or a failure, with this seat's count of attempts."""
    try:
        outcome: Outcome = ray.get(reference)
    except RayError as error:  # a death, an exhausted node, a lost object
        message = str(error).strip().splitlines()[0]
        return MemberFailure(seat.spec.member_id, type(error).__name__, message, seat.attempt, str(error))
    return replace(outcome, attempts=seat.attempt)
