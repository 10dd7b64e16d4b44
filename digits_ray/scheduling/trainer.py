"""Many fits: a queue of members, a window of live actors, a fresh actor for each one that dies.

The driver replaces what died, not Ray's restart counter, which can burn out before the loss of a node is noticed; the
successor resumes from the last saved epoch.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.exceptions import RayError

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.errors import RunError, UserError
from digits_ray.progress import MemberStatus, Progress, Unsaved
from digits_ray.scheduling.actor import ActorInputs, ActorUpdate, MemberActor, SavedEpoch
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.retries import Ticket, after
from digits_ray.storage import SavedEpochs, layout
from digits_ray.training import DeviceResources, latest_state

POLL_SECONDS = 0.5  # how often the driver looks at its actors
REPLAN_SECONDS = 5.0  # how often it looks for nodes that have joined or left

Outcome = MemberResult | MemberFailure


@dataclass(frozen=True)
class RetryPolicy:
    """How long the driver waits before it takes something for lost."""

    max_failures: int = 3  # of one member by its own fault, before it is given up as a `MemberFailure`
    silence_timeout: float = 120.0  # of an actor that has answered before; compiling a network holds answers back
    no_node_timeout: float = 120.0  # with members waiting and no node that could ever hold one


def fit_members(
    specs: list[MemberSpec],
    shared: ActorInputs,
    plan: Callable[[int], Plan],
    patience: RetryPolicy,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
) -> Generator[Outcome, None, None]:
    """Trains members on a window of actors and yields each as it ends, in any order.

    Args:
        specs: The members to train.
        shared: What every actor is given.
        plan: Asked again, with the number of unfinished members, so that a node that joins late helps at once.
        patience: When to give up.
        on_status: Told about every member, about twice a second.

    Raises:
        RunError: members are waiting and no node has had room for one for too long.
    """
    window, told = _Window(specs, shared, plan, patience), 0.0
    try:
        while window.unfinished():
            window.fill()
            yield from window.wait()
            if time.monotonic() - told >= POLL_SECONDS:  # members may end much faster than that
                told = time.monotonic()
                window.ask_news()
                on_status(window.statuses())
        on_status(window.statuses())
    finally:
        window.close()


@dataclass
class _Seat:
    """One live actor and the member it trains."""

    actor: Any
    room: int  # times the planned share that the actor holds
    ticket: Ticket
    name: str  # of the attempt, unlike all others
    asked: Any = None  # the pending answer to "what is new?"
    heard: float | None = None  # time.monotonic() of the last answer; None before the first
    progress: Progress | None = None
    unsaved: Unsaved = field(default_factory=Unsaved)  # what the driver could not save for it

    @property
    def member_id(self) -> int:
        return self.ticket.member_id

    def epochs(self) -> int:
        """Returns the epochs that its member has finished, as far as is known."""
        return int(self.progress.epoch) if self.progress else self.ticket.epochs

    def silent_for(self) -> float:
        return time.monotonic() - self.heard if self.heard else 0.0


class _Window:
    """The queue, the live actors and what each is doing."""

    def __init__(
        self, specs: list[MemberSpec], shared: ActorInputs, plan: Callable[[int], Plan], patience: RetryPolicy
    ) -> None:
        self.queue = deque(Ticket(spec) for spec in specs)
        self.shared, self.patience = shared, patience
        self._plan, self.plan, self._planned = plan, plan(len(specs)), time.monotonic()
        self._homeless_since: float | None = None
        self.seats: dict[Any, _Seat] = {}  # by the reference of the running fit
        self.status = {spec.member_id: MemberStatus(spec.member_id, "waiting") for spec in specs}

    def unfinished(self) -> int:
        return len(self.queue) + len(self.seats)

    def fill(self) -> None:
        """Starts actors until every slot of the plan is taken or no member waits."""
        if time.monotonic() - self._planned > REPLAN_SECONDS:  # though none may wait: it tells whether Ray is there
            self._replan()
        while self.queue and len(self.seats) < self.plan.slots:
            ticket = self.queue.popleft()
            self._assign(self._new_actor(ticket.room, ticket.spec.recipe.backend), ticket.room, ticket)

    def wait(self) -> Iterator[Outcome]:
        """Waits for a moment or until a member ends; yields those that did, and sends their actors on to the next."""
        if not self.seats:
            time.sleep(POLL_SECONDS)
            return
        fits = list(self.seats)
        ray.wait(fits, timeout=POLL_SECONDS)
        finished, _ = ray.wait(fits, num_returns=len(fits), timeout=0)
        for reference in finished:
            seat = self.seats.pop(reference)
            outcome = _outcome(reference, seat)
            if isinstance(outcome, MemberResult):
                self._free(seat)
                self.status[outcome.member_id] = replace(self.status[outcome.member_id], state="done")
                yield outcome
            else:
                yield from self._retry_or_give_up(seat, outcome)
        yield from self._give_up_silent()

    def statuses(self) -> list[MemberStatus]:
        return list(self.status.values())

    def close(self) -> None:
        """Ends every actor at once: their GPUs and CPUs are free for others."""
        for seat in self.seats.values():
            ray.kill(seat.actor)
        self.seats.clear()

    def _replan(self) -> None:
        """Looks at the nodes again; when none can hold a member any more, waits for one for a while."""
        self._planned = time.monotonic()
        try:
            self.plan, self._homeless_since = self._plan(self.unfinished()), None
        except UserError as error:
            waiting = len(self.queue) + sum(not seat.heard for seat in self.seats.values())  # for an actor to start
            if not waiting:
                return
            self._homeless_since = self._homeless_since or time.monotonic()
            if time.monotonic() - self._homeless_since > self.patience.no_node_timeout:
                who = "1 member waits" if waiting == 1 else f"{waiting} members wait"
                raise RunError(f"{who} and no node has had room for one: {error}") from None
            self.plan = replace(self.plan, slots=0)

    def _new_actor(self, room: int, backend: str) -> Any:
        plan = self.plan.with_room(room)
        share = DeviceResources(plan.threads, plan.gpus_per_member, plan.data_gib_per_member, backend)
        options = MemberActor.options(  # type: ignore[attr-defined]  # ray.remote has no types here
            num_cpus=plan.cpus_per_member,
            num_gpus=plan.gpus_per_member,
            scheduling_strategy="SPREAD",
            max_concurrency=2,  # fit, and progress beside it
        )
        return options.remote(self.shared, share)

    def _assign(self, actor: Any, room: int, ticket: Ticket) -> None:
        name = layout.attempt_name(ticket.attempt, uuid.uuid4().hex[:8])
        state = latest_state(SavedEpochs(self.shared.store, ticket.member_id, name).candidates())
        self.seats[actor.fit.remote(ticket.spec, name, state)] = _Seat(actor, room, ticket, name)
        before = self.status[ticket.member_id]
        self.status[ticket.member_id] = replace(before, state="starting", attempt=ticket.attempt, progress=None)

    def _free(self, seat: _Seat) -> None:
        """Gives the actor the next member; with none left, its last handle goes and so does the process."""
        if self.queue and len(self.seats) < self.plan.slots and self.queue[0].room == seat.room:
            self._assign(seat.actor, seat.room, self.queue.popleft())

    def _retry_or_give_up(self, seat: _Seat, failure: MemberFailure) -> Iterator[Outcome]:
        ray.kill(seat.actor)  # whatever state it is in, and it may only be cut off
        again = after(seat.ticket, failure, seat.epochs(), self.patience.max_failures)
        trouble = f"{failure.error_type}: {failure.message}"
        if again:
            self.queue.appendleft(again)
            more = f" It is given {again.room} times the room." if again.room > seat.ticket.room else ""
            status = MemberStatus(seat.member_id, "waiting", again.attempt, trouble=trouble + more)
        else:
            status = MemberStatus(seat.member_id, "failed", seat.ticket.attempt, trouble=trouble)
            yield failure
        self.status[seat.member_id] = status

    def _give_up_silent(self) -> Iterator[Outcome]:
        """Takes the member from an actor that answers no more. Should it come back, it writes to a place of its own."""
        if not self._silent():
            return
        self.ask_news()  # perhaps it was the driver that was held up, and answers have been waiting for it
        for reference in self._silent():
            seat = self.seats.pop(reference)
            message = f"no sign of life for {seat.silent_for():.0f} s"
            failure = MemberFailure(seat.member_id, "Silence", message, seat.ticket.attempt, lost=True)
            yield from self._retry_or_give_up(seat, failure)

    def _silent(self) -> list[Any]:
        return [one for one, seat in self.seats.items() if seat.silent_for() > self.patience.silence_timeout]

    def ask_news(self) -> None:
        """Takes the answers that have come, and asks again who has answered."""
        asked = [seat.asked for seat in self.seats.values() if seat.asked is not None]
        answered = set(ray.wait(asked, num_returns=len(asked), timeout=0)[0]) if asked else set()
        for seat in self.seats.values():
            if seat.asked in answered:
                self._note_news(seat)
            if seat.asked is None:
                seat.asked = seat.actor.news.remote()

    def _note_news(self, seat: _Seat) -> None:
        asked, seat.asked = seat.asked, None
        try:
            news: ActorUpdate = ray.get(asked)
        except RayError:
            return  # the fit's own reference tells of a death
        seat.heard = time.monotonic()
        if news.saved:
            self._save(seat, news.saved)
        progress = news.progress
        if progress and progress.member_id == seat.member_id:
            seat.progress = progress
            before = self.status[progress.member_id]
            self.status[progress.member_id] = replace(before, state="training", progress=progress)

    def _save(self, seat: _Seat, saved: SavedEpoch) -> None:
        """Saves an epoch for an actor that does not see the run directory."""
        try:
            SavedEpochs(self.shared.store, seat.member_id, seat.name).save(saved.epoch, saved.state)
        except (UserError, RunError) as error:  # a full disk must not cost the training
            seat.unsaved.add(saved.epoch, error)


def _outcome(reference: Any, seat: _Seat) -> Outcome:
    """Turns whatever came of a fit into a result or a failure, with this seat's count of attempts."""
    try:
        outcome: Outcome = ray.get(reference)
    except RayError as error:  # a death, an exhausted node, a lost object
        message = str(error).strip().splitlines()[0]
        name, attempt = type(error).__name__, seat.ticket.attempt
        return MemberFailure(seat.member_id, name, message, attempt, str(error), lost=True)
    if isinstance(outcome, MemberResult):
        outcome = replace(outcome, notes=outcome.notes + seat.unsaved.notes())
    return replace(outcome, attempts=seat.ticket.attempt)
