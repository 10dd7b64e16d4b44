"""One member in training, as the driver sees it."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.exceptions import RayError

from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.progress import Progress, UnsavedEpochs
from digits_ray.scheduling.retries import Attempt

Outcome = MemberResult | MemberFailure


@dataclass
class RunningFit:
    """One live actor and the attempt that it makes."""

    actor: Any
    resource_multiplier: int  # times the planned resources that the actor holds
    attempt: Attempt
    attempt_name: str  # unlike that of any other attempt
    pending_poll: Any = None  # the reference of the actor's next update
    last_heartbeat: float | None = None  # time.monotonic() of the last update; None before the first
    progress: Progress | None = None
    unsaved: UnsavedEpochs = field(default_factory=UnsavedEpochs)  # what the driver could not save for it

    @property
    def member_id(self) -> int:
        return self.attempt.member_id

    def epochs(self) -> int:
        """Returns the epochs that its member has finished, as far as is known."""
        return int(self.progress.epoch) if self.progress else self.attempt.epochs

    def silent_for(self) -> float:
        """Returns the seconds since its last update."""
        return time.monotonic() - self.last_heartbeat if self.last_heartbeat else 0.0

    def outcome(self, reference: Any) -> Outcome:
        """Returns its result or failure, whatever came of it, with the number of the attempt."""
        try:
            outcome: Outcome = ray.get(reference)
        except RayError as error:  # a death, an exhausted node, a lost object
            message = str(error).strip().splitlines()[0]
            name, attempts = type(error).__name__, self.attempt.number
            return MemberFailure(self.member_id, name, message, attempts, str(error), lost=True)
        if isinstance(outcome, MemberResult):
            outcome = replace(outcome, notes=outcome.notes + self.unsaved.notes())
        return replace(outcome, attempts=self.attempt.number)
