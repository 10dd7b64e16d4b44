"""What becomes of a member whose attempt ended badly: tried again, with more resources, or given up. No Ray here."""

from dataclasses import dataclass, replace

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure

MAX_LOSSES = 10  # of a member's process or node in a row, without one epoch finished in between
# The same state gives the same numbers, so the same member would fail again, after as long a training.
NOT_RETRIED = frozenset({"FloatingPointError"})
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
class Attempt:
    """One attempt at training a member, and what has happened to the member before."""

    spec: MemberSpec
    number: int = 1
    failures: int = 0  # earlier attempts that ended in an error of the member's own
    losses: int = 0  # processes and nodes lost since an epoch was last finished
    epochs: int = 0  # finished, as far as the driver knows
    resource_multiplier: int = 1  # times the planned resources

    @property
    def member_id(self) -> int:
        return self.spec.member_id


def next_attempt(attempt: Attempt, failure: MemberFailure, epochs: int, max_failures: int) -> Attempt | None:
    """Returns the attempt that follows a failed one, or None when the member is to be given up.

    A member that loses its process or node is not to blame, and is tried again for as long as it makes progress; an
    error of the member's own counts; out of memory, it gets twice the resources.

    Args:
        attempt: The one that ended.
        failure: How it ended.
        epochs: Finished by its end, as far as the driver knows.
        max_failures: Of the member's own, before it is given up.
    """
    again = replace(attempt, number=attempt.number + 1, epochs=max(epochs, attempt.epochs))
    if is_out_of_memory(failure):
        again = replace(again, failures=attempt.failures + 1, resource_multiplier=2 * attempt.resource_multiplier)
    elif failure.lost:
        again = replace(again, losses=1 if epochs > attempt.epochs else attempt.losses + 1)
    else:
        again = replace(again, failures=attempt.failures + 1)
    spent = again.failures >= max_failures or again.losses > MAX_LOSSES or failure.error_type in NOT_RETRIED
    return None if spent else again


def is_out_of_memory(failure: MemberFailure) -> bool:
    """Returns whether more memory could have saved the attempt; JAX has no error type of its own for that."""
    text = f"{failure.message}\n{failure.details}"
    return failure.error_type in OUT_OF_MEMORY or any(words in text for words in FULL_GPU)
