"""Who is tried again, who with more resources, and who is given up."""

import pytest
from factories import spec_of

from digits_ray.ensemble.predictions import MemberFailure
from digits_ray.scheduling.retries import MAX_LOSSES, Attempt, next_attempt

NEW = Attempt(spec_of(7))


def failure(error_type: str, message: str = "", lost: bool = False, origin: str = "") -> MemberFailure:
    return MemberFailure(7, error_type, message, 1, lost=lost, origin=origin)


def test_an_error_of_the_members_own_counts() -> None:
    again = next_attempt(NEW, failure("ValueError", "shapes differ"), 0, 2)
    assert again is not None
    assert (again.number, again.failures, again.resource_multiplier) == (2, 1, 1)
    assert next_attempt(again, failure("ValueError"), 0, 2) is None


def test_lost_nodes_do_not_count_while_the_member_gets_on() -> None:
    attempt: Attempt | None = NEW
    for epochs in range(1, 40):
        assert attempt is not None
        attempt = next_attempt(attempt, failure("ActorDiedError", lost=True), epochs, 1)
    assert attempt is not None
    assert (attempt.number, attempt.failures, attempt.losses) == (40, 0, 1)


def test_a_member_whose_process_dies_every_time_is_given_up_in_the_end() -> None:
    attempt: Attempt | None = NEW
    for loss in range(1, MAX_LOSSES + 1):
        assert attempt is not None
        attempt = next_attempt(attempt, failure("ActorDiedError", lost=True), 3, 1)
        assert attempt is not None
        assert attempt.losses == loss
    assert attempt is not None
    assert next_attempt(attempt, failure("ActorDiedError", lost=True), 3, 1) is None


@pytest.mark.parametrize(
    "failure",
    [
        failure("ResourceExhaustedError", "OOM when allocating tensor"),
        failure("OutOfMemoryError", "the node was low on memory", lost=True),
        failure("XlaRuntimeError", "RESOURCE_EXHAUSTED: out of memory"),
        failure("JaxRuntimeError", "INTERNAL: Failed to get configs for: 20 out of 85 instructions"),
        failure("JaxRuntimeError", "UNKNOWN: CUDNN_STATUS_EXECUTION_FAILED in cuda_dnn.cc(6784): 'status'"),
        failure("JaxRuntimeError", "INTERNAL: CUDNN_STATUS_ALLOC_FAILED"),
        failure("JaxRuntimeError", "INTERNAL: CUDNN_STATUS_INTERNAL_ERROR"),
        failure("InternalError", "failed to allocate 1.5KiB: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        MemberFailure(7, "JaxRuntimeError", "one line", 1, details="…\nFailed to get configs for: 1 out of 2"),
    ],
)
def test_out_of_memory_brings_twice_the_resources(failure: MemberFailure) -> None:
    again = next_attempt(NEW, failure, 0, 3)
    assert again is not None
    assert again.resource_multiplier == 2
    assert (more := next_attempt(again, failure, 0, 3)) is not None
    assert more.resource_multiplier == 4
    assert next_attempt(more, failure, 0, 3) is None


def test_an_error_that_only_mentions_a_gpu_brings_no_more_resources() -> None:
    again = next_attempt(NEW, failure("JaxRuntimeError", "INVALID_ARGUMENT: cuDNN knows no such convolution"), 0, 3)
    assert again is not None
    assert again.resource_multiplier == 1


def test_a_loss_that_is_no_number_is_not_trained_to_again() -> None:
    assert next_attempt(NEW, failure("FloatingPointError", "the loss is nan"), 5, 3) is None


def test_the_same_error_from_the_same_line_twice_before_the_first_epoch_comes_every_time() -> None:
    broken = failure("ImportError", "process 12: libx.so", origin="a.py:3, in f")
    again = next_attempt(NEW, broken, 0, 9)
    assert again is not None
    assert next_attempt(again, failure("ImportError", "process 13: libx.so", origin="a.py:3, in f"), 0, 9) is None
    assert next_attempt(again, failure("ImportError", origin="a.py:4, in f"), 0, 9) is not None
    assert next_attempt(again, failure("ValueError", origin="a.py:3, in f"), 0, 9) is not None
    assert next_attempt(again, broken, 1, 9) is not None  # it has finished an epoch meanwhile


@pytest.mark.parametrize(
    "bad_luck", [failure("ActorDiedError", lost=True), failure("OutOfMemoryError", lost=True), failure("NotPlaced")]
)
def test_what_is_not_the_members_own_fault_may_come_twice(bad_luck: MemberFailure) -> None:
    attempt = next_attempt(NEW, bad_luck, 0, 9)
    for _ in range(3):
        assert attempt is not None
        attempt = next_attempt(attempt, bad_luck, 0, 9)
    assert attempt is not None


def test_waiting_for_a_free_node_is_no_failure_however_long() -> None:
    attempt: Attempt | None = NEW
    for _ in range(5 * MAX_LOSSES):
        assert attempt is not None
        attempt = next_attempt(attempt, failure("NotPlaced", lost=True), 0, 1)
    assert attempt is not None
    assert (attempt.losses, attempt.failures) == (0, 0)


@pytest.mark.parametrize("error_type", ["PrecisionError", "PredictionError"])
def test_wrong_numbers_come_again_from_the_same_state(error_type: str) -> None:
    assert next_attempt(NEW, failure(error_type, origin="fit.py:1, in f"), 5, 9) is None
