"""What becomes of a member whose attempt ended badly: tried again, with more resources, or given up. No Ray here."""

from collections import Counter
from dataclasses import dataclass, replace

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure

MAX_LOSSES = 10  # of a member's process or node in a row, without one epoch finished in between
MAX_START_FAILURES = 2  # of processes, all alike, while not one has ever started: none can
# The same state gives the same numbers, so the same member would fail again, after as long a training.
NOT_RETRIED = frozenset({"FloatingPointError", "PrecisionError", "PredictionError"})
NOT_PLACED = "NotPlaced"  # the failure of a process that Ray has not started yet: nobody is to blame
OUT_OF_MEMORY = frozenset({"OutOfMemoryError", "ResourceExhaustedError", "MemoryError"})  # Ray, TensorFlow, numpy
# What XLA and CUDA's libraries say on a full card, where they have no memory left to start or to work in
# (jax-ml/jax#7118, #12461, #17217).
FULL_GPU = (
    "RESOURCE_EXHAUSTED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "cudaErrorMemoryAllocation",
    "Failed to get configs",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "DNN library initialization failed",
    "Failed to determine best cudnn convolution algorithm",
)


@dataclass(frozen=True)
class RetryPolicy:
    """When the driver takes something for lost, and a member for hopeless. Limits are in seconds."""

    max_failures: int = 3  # of one member by its own fault, before it is given up as a `MemberFailure`
    silence_timeout: float = 120.0  # of an actor that has answered before; compiling a network holds answers back
    no_node_timeout: float = 120.0  # with members waiting and no node that could ever hold one
    placement_timeout: float = 300.0  # for Ray to start an actor's process: its CPUs and GPUs may be held by others
    start_timeout: float = 300.0  # from then to its first answer: importing, claiming the device, fetching the rows
    first_call_timeout: float = 900.0  # of a fit's first call into the backend, which compiles the network
    call_timeout: float = 300.0  # at least, of each later one: batches of training, validation, prediction; saving
    call_factor: float = 10.0  # a later call may take so many times the longest before it


@dataclass(frozen=True)
class ErrorSignature:
    """What makes two errors the same: messages may differ in process ids and addresses."""

    error_type: str
    origin: str

    @classmethod
    def of(cls, failure: MemberFailure) -> "ErrorSignature":
        return cls(failure.error_type, failure.origin)


@dataclass(frozen=True)
class Attempt:
    """One attempt at training a member, and what has happened to the member before."""

    spec: MemberSpec
    number: int = 1
    failures: int = 0  # earlier attempts that ended in an error of the member's own
    losses: int = 0  # processes and nodes lost since an epoch was last finished
    epochs: int = 0  # finished, as far as the driver knows
    resource_multiplier: int = 1  # times the planned resources
    last_error: ErrorSignature | None = None  # of the attempt before, where it was an error of the member's own

    @property
    def member_id(self) -> int:
        return self.spec.member_id


def next_attempt(attempt: Attempt, failure: MemberFailure, epochs: int, max_failures: int) -> Attempt | None:
    """Returns the attempt that follows a failed one, or None when the member is to be given up.

    A member that loses its process or node is not to blame, and is tried again for as long as it makes progress; an
    error of the member's own counts, and the same one twice before the first epoch comes every time; out of memory, it
    gets twice the resources.

    Args:
        attempt: The one that ended.
        failure: How it ended.
        epochs: Finished by its end, as far as the driver knows.
        max_failures: Of the member's own, before it is given up.
    """
    again = replace(attempt, number=attempt.number + 1, epochs=max(epochs, attempt.epochs), last_error=None)
    if is_out_of_memory(failure):
        again = replace(again, failures=attempt.failures + 1, resource_multiplier=2 * attempt.resource_multiplier)
    elif failure.error_type == NOT_PLACED:
        again = replace(again, last_error=attempt.last_error)
    elif failure.lost:
        again = replace(again, losses=1 if epochs > attempt.epochs else attempt.losses + 1)
    else:
        again = replace(again, failures=attempt.failures + 1, last_error=ErrorSignature.of(failure))
    repeated = again.epochs == 0 and again.last_error is not None and again.last_error == attempt.last_error
    spent = again.failures >= max_failures or again.losses > MAX_LOSSES or failure.error_type in NOT_RETRIED
    return None if spent or repeated else again


class StartFailures:
    """Whether any process of this run can start at all: where none can, trying every member costs minutes."""

    def __init__(self) -> None:
        self.any_started = False  # to be set once an actor has answered
        self._seen: Counter[ErrorSignature] = Counter()

    @property
    def in_doubt(self) -> bool:
        """Whether processes have failed to start, and none has ever started."""
        return bool(self._seen) and not self.any_started

    def add(self, failure: MemberFailure) -> None:
        """Counts the failure of a process that never answered; one whose process was lost says nothing."""
        if not self.any_started and not failure.lost and not is_out_of_memory(failure):
            self._seen[ErrorSignature.of(failure)] += 1

    def rules_out(self, failure: MemberFailure) -> bool:
        """Returns whether this failure is one that no process of the run has escaped."""
        return not self.any_started and self._seen[ErrorSignature.of(failure)] >= MAX_START_FAILURES


def is_out_of_memory(failure: MemberFailure) -> bool:
    """Returns whether more memory could have saved the attempt; JAX has no error type of its own for that."""
    text = f"{failure.message}\n{failure.details}"
    return failure.error_type in OUT_OF_MEMORY or any(words in text for words in FULL_GPU)
