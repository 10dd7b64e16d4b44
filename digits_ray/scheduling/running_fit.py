"""Members in training in one process, as the driver sees them."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError, RaySystemError, RayTaskError

from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.error_cause import ErrorCause, cause_in_text
from digits_ray.errors import RunError, UserError
from digits_ray.progress import Progress, UnsavedEpochs
from digits_ray.scheduling.actor import Activity, ActorUpdate, Outcome, SavedEpoch
from digits_ray.scheduling.ray_internals import has_process
from digits_ray.scheduling.retries import NOT_PLACED, Attempt, RetryPolicy
from digits_ray.storage import SavedEpochs

# Of a node or an object, in a process that was to start; a RaySystemError is one of what the process imports.
_LOSSES = {error.__name__ for error in RayError.__subclasses__()} - {RaySystemError.__name__, RayTaskError.__name__}


@dataclass
class RunningFit:
    """One live actor and the attempts that it makes: one, or those of a stack."""

    actor: Any
    resource_multiplier: int  # times the planned resources that the actor holds
    attempts: tuple[Attempt, ...]
    attempt_name: str  # unlike that of any other attempt, but the same for a stack
    pending_poll: Any = None  # the reference of the actor's next update
    started: float = field(default_factory=time.monotonic)  # when the actor was asked for
    placed: float | None = None  # time.monotonic() at which its process was first known to Ray
    last_heartbeat: float | None = None  # time.monotonic() of the last update; None before the first
    activity: Activity | None = None  # as the last update told
    progress: dict[int, Progress] = field(default_factory=dict)  # by member, like the next
    unsaved: dict[int, UnsavedEpochs] = field(default_factory=dict)  # what the driver could not save

    def attempt_at(self, member_id: int) -> Attempt | None:
        """Returns the attempt at a member; None where the actor trains others."""
        return next((attempt for attempt in self.attempts if attempt.member_id == member_id), None)

    def epochs(self, attempt: Attempt) -> int:
        """Returns the epochs that a member has finished, as far as is known."""
        progress = self.progress.get(attempt.member_id)
        return int(progress.epoch) if progress else attempt.epochs

    def look_for_process(self) -> None:
        """Records when its actor has a process, as long as that has not answered."""
        if self.last_heartbeat is None and self.placed is None and has_process(self.actor):
            self.placed = time.monotonic()

    def record_update(self, update: ActorUpdate, saved_epochs: Callable[[Attempt, str], SavedEpochs]) -> None:
        """Records what its actor tells, and saves the epochs of an actor that does not see the run directory.

        Args:
            update: By the actor.
            saved_epochs: Where an attempt of this name saves its epochs.
        """
        self.last_heartbeat, self.activity = time.monotonic(), update.activity
        for epoch in update.saved:
            if attempt := self.attempt_at(epoch.member_id):  # else of the fit before, as below
                self._save(epoch, saved_epochs(attempt, self.attempt_name))
        self.progress |= {each.member_id: each for each in update.progress if self.attempt_at(each.member_id)}

    def _save(self, epoch: SavedEpoch, epochs: SavedEpochs) -> None:
        try:
            epochs.save(epoch.epoch, epoch.state)
        except (UserError, RunError) as error:  # a full disk must not cost the training
            self.unsaved.setdefault(epoch.member_id, UnsavedEpochs()).add(epoch.epoch, error)

    def silent_for(self) -> float:
        """Returns the seconds since its last update."""
        return time.monotonic() - self.last_heartbeat if self.last_heartbeat else 0.0

    def hang(self, policy: RetryPolicy) -> list[MemberFailure]:
        """Returns why its actor is to be replaced although nothing has failed; empty while it may still get on."""
        reason = self._start_hang(policy) if self.last_heartbeat is None else self._fit_hang(policy)
        if reason is None:
            return []
        # A fit that has never got on may be to blame itself; what has worked before has been struck by something else.
        lost = reason.error_type != "Stall" or (self.activity is not None and self.activity.calls > 0)
        return [
            MemberFailure(attempt.member_id, reason.error_type, reason.message, attempt.number, lost=lost)
            for attempt in self.attempts
        ]

    def _start_hang(self, policy: RetryPolicy) -> ErrorCause | None:
        now = time.monotonic()
        if self.placed is None and now - self.started > policy.placement_timeout:
            message = f"Ray has not started its process for {now - self.started:.0f} s."
            return ErrorCause(NOT_PLACED, f"{message} `ray status` shows which CPUs and GPUs are in use.")
        if self.placed is not None and now - self.placed > policy.start_timeout:
            seconds = f"{now - self.placed:.0f} s"
            return ErrorCause("StartTimeout", f"its process has not answered for {seconds} since it was started.")
        return None

    def _fit_hang(self, policy: RetryPolicy) -> ErrorCause | None:
        if self.silent_for() > policy.silence_timeout:
            return ErrorCause("Silence", f"no sign of life for {self.silent_for():.0f} s")
        activity = self.activity
        if activity is None:
            return None
        limit = max(policy.call_timeout, policy.call_factor * activity.longest_seconds)
        if activity.idle_seconds <= (limit if activity.calls else policy.first_call_timeout):
            return None
        before = f"; the longest before took {activity.longest_seconds:.1f} s" if activity.calls else ""
        return ErrorCause("Stall", f"no call into the backend has ended for {activity.idle_seconds:.0f} s{before}.")

    def outcomes(self, reference: Any) -> list[Outcome]:
        """Returns each member's result or failure, whatever came of it, with the number of the attempt."""
        try:
            outcomes: list[Outcome] = ray.get(reference)
        except RayError as error:
            return [_failure_by_ray(error, attempt.member_id, attempt.number) for attempt in self.attempts]
        self.last_heartbeat = time.monotonic()
        return [self._numbered(*pair) for pair in zip(self.attempts, outcomes, strict=True)]

    def _numbered(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        if isinstance(outcome, MemberResult) and attempt.member_id in self.unsaved:
            outcome = replace(outcome, notes=outcome.notes + self.unsaved[attempt.member_id].notes())
        return replace(outcome, attempts=attempt.number)


def updates(fits: Collection[RunningFit]) -> Iterator[tuple[RunningFit, ActorUpdate]]:
    """Yields the updates that have come, and asks the actors that have answered for the next."""
    pending = [fit.pending_poll for fit in fits if fit.pending_poll is not None]
    answered = set(ray.wait(pending, num_returns=len(pending), timeout=0)[0]) if pending else set()
    for fit in fits:
        reference = fit.pending_poll
        if reference is None or reference in answered:
            fit.pending_poll = fit.actor.latest_update.remote()
        if reference in answered:
            try:
                update = ray.get(reference)
            except RayError:
                continue  # a dead actor is noticed by the reference of its fit
            yield fit, update


def _failure_by_ray(error: RayError, member_id: int, attempts: int) -> MemberFailure:
    """Returns a death, an exhausted node or a lost object as a loss; of a process that could not start, its error."""
    text = str(error).strip()
    cause = cause_in_text(text) or ErrorCause(type(error).__name__, text.splitlines()[0])
    raised_there = isinstance(error, RayTaskError) or (isinstance(error, ActorDiedError) and error.actor_init_failed)
    lost = not raised_there or cause.error_type in _LOSSES
    return MemberFailure(member_id, cause.error_type, cause.message, attempts, text, lost=lost, origin=cause.origin)
