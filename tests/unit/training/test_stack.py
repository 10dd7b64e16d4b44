"""Members that are one program end with the numbers that each has alone.

In a process on JAX, on a CPU: small images and a single convolution, since XLA compiles more of them within a loop for
minutes there.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from multiprocessing import get_context
from typing import Any
from unittest import mock
from zipfile import ZipFile

import numpy as np
import pytest
from factories import SIDE, Kept, rows_of, spec_of

from digits_ray.config import MemberSpec
from digits_ray.data import Rows
from digits_ray.ensemble import MemberResult
from digits_ray.progress import Progress
from digits_ray.training import device

pytest.importorskip("jax")

RECIPE: dict[str, Any] = {
    "backend": "jax",
    "precision": "float32",
    "epochs": 4,
    "schedule": "one_cycle",
    "ema": 0.9,
    "label_smoothing": 0.1,
}
CLOSE = 1e-5

Together = tuple[list[MemberResult], list[Kept], list[int]]


@pytest.fixture(scope="module")
def process() -> Iterator[Executor]:
    resources = device.DeviceResources(2, backend="jax")
    with ProcessPoolExecutor(1, get_context("spawn"), device.claim, (resources,)) as executor:
        yield executor


def members(count: int = 3, **recipe: Any) -> list[MemberSpec]:
    """Members of two folds, one of which has a row more."""
    return [
        replace(
            spec_of(seed=number + 1, architecture="tiny", **{**RECIPE, **recipe}), member_id=number, fold=number % 2
        )
        for number in range(count)
    ]


def rows_of_two_folds() -> Rows:
    rows = rows_of()
    folds = rows.folds.copy()
    folds[30:59] = 1
    return replace(rows, folds=folds)


def layers_of_tiny(side: int) -> list[Any]:
    from keras import layers

    return [
        layers.Conv2D(4, 3, activation="relu", use_bias=False),  # a bias here has gradients of rounding errors alone
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.2),
    ]


def stack(
    specs: Sequence[MemberSpec],
    kept: Sequence[Kept] | None = None,
    call_batches: int = 99,
    progress: list[Progress] | None = None,
) -> tuple[list[Any], list[Kept], list[int]]:
    """Trains members together, or alone where there is one.

    Args:
        specs: Of the members.
        kept: Their saved epochs.
        call_batches: Batches that a call trains on at most.
        progress: To which what is told of the progress is added.

    Returns:
        Results or errors, the saved epochs, and how many members each call trained.
    """
    from digits_ray.training import architectures, jax_loop, stack

    kept, members_of_calls = list(kept or [Kept() for _ in specs]), list[int]()
    compiled_call = jax_loop.JaxLoop.compiled_call

    def counted(loop: Any, state: Any, rows: Any, order: np.ndarray) -> Any:
        members_of_calls.append(order.shape[0] if order.ndim == 3 else 1)
        return compiled_call(loop, state, rows, order)

    with ExitStack() as patches:
        patches.enter_context(mock.patch.dict(architectures.BUILDERS, tiny=layers_of_tiny))
        patches.enter_context(mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: True))
        patches.enter_context(mock.patch.object(jax_loop.JaxLoop, "compiled_call", counted))
        patches.enter_context(mock.patch.object(jax_loop, "CALL_PIXELS", call_batches * 16 * SIDE * SIDE))
        outcomes = stack.fit_stack(specs, rows_of_two_folds(), kept, ([] if progress is None else progress).append)
    return outcomes, kept, members_of_calls


@pytest.fixture(scope="module")
def alone(process: Executor) -> list[MemberResult]:
    """Each member trained by itself."""
    return [process.submit(stack, [spec]).result()[0][0] for spec in members()]


def assert_close(stacked: MemberResult, alone: MemberResult) -> None:
    assert stacked.member_id == alone.member_id
    assert np.array_equal(stacked.prediction.holdout_row_ids, alone.prediction.holdout_row_ids)
    assert np.allclose(stacked.prediction.holdout_proba, alone.prediction.holdout_proba, atol=CLOSE)
    assert np.allclose(stacked.prediction.test_proba, alone.prediction.test_proba, atol=CLOSE)
    for entry, expected in zip(stacked.history, alone.history, strict=True):
        assert list(entry) == list(expected)
        for name in ("loss", "accuracy", "learning_rate"):
            assert np.isclose(entry[name], expected[name], rtol=CLOSE, atol=CLOSE), name


@pytest.fixture(scope="module")
def together(process: Executor) -> Together:
    """The same members as a stack; their saved epochs; how many members each call trained."""
    return process.submit(stack, members()).result()


def test_each_member_of_a_stack_ends_with_the_numbers_that_it_has_alone(
    together: Together, alone: list[MemberResult]
) -> None:
    outcomes, kept, members_of_calls = together
    assert members_of_calls == [3, 3, 3, 3]
    assert not np.allclose(outcomes[0].prediction.test_proba, outcomes[1].prediction.test_proba, atol=1e-2)
    for number, expected in enumerate(alone):
        assert_close(outcomes[number], expected)
        assert sorted(kept[number].states) == [1, 2, 3, 4]


def test_an_epoch_of_several_calls_tells_every_members_progress_and_ends_with_the_same_numbers(
    process: Executor, alone: list[MemberResult]
) -> None:
    (outcomes, kept, members_of_calls), progress = process.submit(by_two_batches).result()
    assert len(members_of_calls) == 4 * -(-len(progress) // (4 * 3)) == len(progress) // 3
    for number, expected in enumerate(alone):
        assert_close(outcomes[number], expected)
        assert sorted(kept[number].states) == [1, 2, 3, 4]
        epochs = [each.epoch for each in progress if each.member_id == number]
        assert epochs == sorted(set(epochs))
        assert epochs[-1] == 4


def by_two_batches() -> tuple[Together, list[Progress]]:
    """Returns what `stack` does, in calls of two batches, and each call's progress of each member."""
    progress: list[Progress] = []
    result = stack(members(), call_batches=2, progress=progress)
    told = list(dict.fromkeys((each.member_id, each.epoch) for each in progress))  # repeated while it predicts
    return result, [next(each for each in progress if (each.member_id, each.epoch) == key) for key in told]


def test_where_it_is_installed_tensorflow_is_not_imported(together: Together, process: Executor) -> None:
    assert not process.submit(is_imported, "tensorflow").result()


def is_imported(library: str) -> bool:
    return library in sys.modules


def test_the_models_of_a_stack_are_of_keras_layers_alone(
    together: Together,
) -> None:
    for outcome in together[0]:
        with ZipFile(BytesIO(outcome.model_file)) as archive:
            config = archive.read("config.json").decode()
        assert '"class_name": "Conv2D"' in config
        assert "digits_ray" not in config


def test_a_member_that_becomes_nan_fails_by_itself(
    process: Executor, together: Together, alone: list[MemberResult]
) -> None:
    first_epochs = [Kept({1: each.states[1]}) for each in together[1]]
    first_epochs[1] = Kept({1: with_nan(first_epochs[1].states[1])})
    outcomes, again, members_of_calls = process.submit(stack, members(), first_epochs).result()
    assert members_of_calls == [3, 3, 3]
    assert isinstance(outcomes[1], FloatingPointError)
    assert sorted(again[1].states) == [1]
    for number in (0, 2):
        assert_close(outcomes[number], alone[number])
        assert outcomes[number].start_epoch == 1


def with_nan(state: bytes) -> bytes:
    """Returns a saved epoch whose first weights are no numbers."""
    return with_weights(state, np.full((3, 3, 1, 4), np.nan, np.float32))


def with_weights(state: bytes, weights: np.ndarray) -> bytes:
    """Returns a saved epoch with other first weights."""
    file = BytesIO()
    with np.load(BytesIO(state)) as saved:
        arrays = dict(saved)
    first = next(name for name in sorted(arrays) if arrays[name].ndim == 4)
    np.savez(file, **{**arrays, first: weights})
    return file.getvalue()


def test_a_member_that_cannot_go_on_from_its_saved_epoch_fails_by_itself(
    process: Executor, together: Together, alone: list[MemberResult]
) -> None:
    second_epochs = [Kept({2: each.states[2]}) for each in together[1]]
    second_epochs[1] = Kept({2: with_weights(second_epochs[1].states[2], np.zeros((2, 2, 1, 4), np.float32))})
    outcomes, _, members_of_calls = process.submit(stack, members(), second_epochs).result()
    assert members_of_calls == [2, 2]
    assert isinstance(outcomes[1], ValueError)
    for number in (0, 2):
        assert_close(outcomes[number], alone[number])


class Faulty(Kept):
    """A fault of the program while it saves one epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def save(self, epoch: int, state: bytes) -> None:
        if epoch == self.epoch:
            raise TypeError("no such argument")
        super().save(epoch, state)


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_fault_while_one_member_is_saved_fails_that_member_alone(
    process: Executor, alone: list[MemberResult], epoch: int
) -> None:
    outcomes, kept, _ = process.submit(stack, members(), [Kept(), Faulty(epoch), Kept()]).result()
    assert isinstance(outcomes[1], TypeError)
    for number in (0, 2):
        assert_close(outcomes[number], alone[number])
        assert sorted(kept[number].states) == [1, 2, 3, 4]


def test_no_member_saves_an_epoch_before_all_have_saved_the_one_before(process: Executor) -> None:
    assert not process.submit(is_overtaken).result()


def is_overtaken() -> bool:
    """Returns whether the first of two members saves its second epoch while the other still saves its first."""
    second_saved, overtaken = threading.Event(), list[bool]()

    class First(Kept):
        def save(self, epoch: int, state: bytes) -> None:
            if epoch == 2:
                second_saved.set()

    class Late(Kept):
        def save(self, epoch: int, state: bytes) -> None:
            if epoch == 1:
                overtaken.append(second_saved.wait(0.3))

    stack(members(2), [First(), Late()])
    return overtaken[0]


def test_an_error_of_the_program_fails_its_members_and_no_others(process: Executor) -> None:
    specs = [*members(2), *members(2, epochs=5)]
    outcomes, kept = process.submit(with_error_of_second_program, specs).result()
    assert [type(outcome) for outcome in outcomes] == [MemberResult, MemberResult, RuntimeError, RuntimeError]
    assert [sorted(each.states) for each in kept[2:]] == [[1], [1]], "an epoch that was trained is not saved"


def with_error_of_second_program(specs: Sequence[MemberSpec]) -> tuple[list[Any], list[Kept]]:
    from digits_ray.training import jax_loop

    compiled_call, calls = jax_loop.JaxLoop.compiled_call, iter(range(99))

    def fails(loop: Any, state: Any, rows: Any, order: np.ndarray) -> Any:
        if next(calls) == 5:  # the second of the second stack
            return no_memory
        return compiled_call(loop, state, rows, order)

    def no_memory() -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED")

    with mock.patch.object(jax_loop.JaxLoop, "compiled_call", fails):
        return stack(specs)[:2]


def test_a_stack_whose_epochs_are_all_saved_predicts_as_it_did(process: Executor, together: Together) -> None:
    saved = [Kept({4: each.states[4]}) for each in together[1]]
    outcomes, _, members_of_calls = process.submit(stack, members(), saved).result()
    assert members_of_calls == []
    for outcome, expected in zip(outcomes, together[0], strict=True):
        assert_close(outcome, expected)


def test_a_stack_that_was_interrupted_goes_on_together(
    process: Executor, together: Together, alone: list[MemberResult]
) -> None:
    second_epochs = [Kept({2: each.states[2]}) for each in together[1]]
    outcomes, _, members_of_calls = process.submit(stack, members(), second_epochs).result()
    assert members_of_calls == [3, 3]
    for outcome, expected in zip(outcomes, alone, strict=True):
        assert outcome.start_epoch == 2
        assert_close(outcome, expected)


def test_a_member_that_is_further_is_trained_by_itself(
    process: Executor, together: Together, alone: list[MemberResult]
) -> None:
    saved = [Kept({epoch: each.states[epoch]}) for epoch, each in zip((3, 1, 1), together[1], strict=True)]
    outcomes, _, members_of_calls = process.submit(stack, members(), saved).result()
    assert sorted(members_of_calls) == [1, 2, 2, 2]
    for outcome, expected in zip(outcomes, alone, strict=True):
        assert_close(outcome, expected)


def groups(specs: Sequence[MemberSpec], long_calls: bool = True) -> list[list[int]]:
    """Returns which members are one program each."""
    from digits_ray.training import architectures, stack

    with (
        mock.patch.dict(architectures.BUILDERS, tiny=layers_of_tiny),
        mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: long_calls),
    ):
        return stack._groups(specs, rows_of_two_folds(), [None for _ in specs])


def test_members_of_another_kind_and_those_that_watch_rows_are_not_stacked(process: Executor) -> None:
    assert process.submit(groups, members(3)).result() == [[0, 1, 2]]
    others = [*members(3), replace(members(4, epochs=5)[3]), *members(2, schedule="plateau", validation=0.2)]
    assert process.submit(groups, others).result() == [[0, 1, 2], [3], [4], [5]]
    assert process.submit(groups, [replace(spec, architecture="own") for spec in members(2)]).result() == [[0], [1]]
    assert process.submit(groups, members(2), long_calls=False).result() == [[0], [1]]
    a_batch_is_all_rows = members(3, batch_size=1000)  # of which the fold of the second member has one more
    assert process.submit(groups, a_batch_is_all_rows).result() == [[0, 2], [1]]


def convolutions(size: Any, strides: Any, padding: str) -> list[Any]:
    """Returns the outputs and gradients of Keras's layer, then those of the layer for stacks with the same weights."""
    import jax
    import keras
    from keras import layers

    from digits_ray.training.stacked_convolution import StackedConv2D, for_stack

    plain = keras.Sequential([keras.Input((11, 9, 3)), layers.Conv2D(5, size, strides=strides, padding=padding)])
    stacked = for_stack(plain)
    stacked.set_weights(plain.get_weights())
    assert type(stacked.layers[0]) is StackedConv2D
    images = np.random.default_rng(0).normal(size=(4, 11, 9, 3)).astype(np.float32)

    def loss(network: Any, weights: Any, images: Any) -> Any:
        outputs, _ = network.stateless_call(weights, [], images)
        return (outputs**2).sum(), outputs

    def computed(network: Any) -> Any:
        weights = [variable.value for variable in network.variables]
        gradients = jax.grad(lambda *operands: loss(network, *operands), argnums=(0, 1), has_aux=True)
        return jax.tree.map(np.asarray, gradients(weights, images))

    return [jax.tree.leaves(computed(network)) for network in (plain, stacked)]


@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [(3, 1, "valid"), (5, 2, "same"), ((2, 3), (2, 1), "same")],
)
def test_the_convolution_of_a_stack_is_that_of_keras(process: Executor, size: Any, strides: Any, padding: str) -> None:
    plain, stacked = process.submit(convolutions, size, strides, padding).result()
    for values, expected in zip(stacked, plain, strict=True):
        assert np.allclose(values, expected, rtol=1e-4, atol=1e-4)
