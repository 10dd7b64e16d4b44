"""What becomes of a member whose attempt ended badly: tried again, tried with more room, or given up. No Ray here."""

from dataclasses import dataclass, replace

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure

MAX_LOSSES = 10  # of a member's process or node in a row, without one epoch finished in between
# The same state gives the same numbers, so the same member would fail again, after as long a training.
HOPELESS = frozenset({"FloatingPointError"})
OUT_OF_MEMORY = frozenset({"OutOfMemoryError", "ResourceExhaustedError", "MemoryError"})  # Ray, TensorFlow, numpy


@dataclass(frozen=True)
class Ticket:
    """One member's place in the queue, and what has happened to it."""

    spec: MemberSpec
    attempt: int = 1  # the one that is running or comes next
    failures: int = 0  # attempts that ended in an error of the member's own
    losses: int = 0  # processes and nodes lost since an epoch was last finished
    epochs: int = 0  # finished, as far as the driver knows
    room: int = 1  # times the planned share of a device
    trouble: str = ""  # how the attempt before ended

    @property
    def member_id(self) -> int:
        return self.spec.member_id


def after(ticket: Ticket, failure: MemberFailure, epochs: int, max_failures: int) -> Ticket | None:
    """Returns the ticket to try the member again with, or None when it is to be given up.

    Whoever loses its process or node is not to blame, and is tried again for as long as it gets on; an error of the
    member's own counts; out of memory, it gets twice the room.

    Args:
        ticket: Of the attempt that ended.
        failure: How it ended.
        epochs: Finished by the end of this attempt, as far as the driver knows.
        max_failures: Of the member's own, before it is given up.
    """
    again = replace(
        ticket,
        attempt=ticket.attempt + 1,
        epochs=max(epochs, ticket.epochs),
        trouble=f"{failure.error_type}: {failure.message}",
    )
    if is_out_of_memory(failure):
        again = replace(again, failures=ticket.failures + 1, room=2 * ticket.room)
    elif failure.lost:
        again = replace(again, losses=1 if epochs > ticket.epochs else ticket.losses + 1)
    else:
        again = replace(again, failures=ticket.failures + 1)
    spent = again.failures >= max_failures or again.losses > MAX_LOSSES or failure.error_type in HOPELESS
    return None if spent else again


def is_out_of_memory(failure: MemberFailure) -> bool:
    """Tells whether more memory could have saved the attempt; JAX has no error type of its own for that."""
    return failure.error_type in OUT_OF_MEMORY or "RESOURCE_EXHAUSTED" in failure.message
