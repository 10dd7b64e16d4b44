"""Members that are one program end with the numbers that each has alone.

In a process on JAX, on a CPU: small images and a single convolution, since XLA compiles more of them within a loop for
minutes there.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import get_context
from typing import Any
from unittest import mock

import numpy as np
import pytest
from factories import Kept, rows_of, spec_of

from digits_ray.config.schema import MemberSpec
from digits_ray.data import Rows
from digits_ray.ensemble import MemberResult
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


def stack(specs: Sequence[MemberSpec], kept: Sequence[Kept] | None = None) -> tuple[list[Any], list[Kept], list[int]]:
    """Trains members together, or alone where there is one.

    Returns:
        Results or errors, the saved epochs, and how many members each call trained.
    """
    from digits_ray.training import architectures, jax_loop, stack

    kept, members_of_calls = list(kept or [Kept() for _ in specs]), list[int]()
    trained = jax_loop.JaxLoop.trained

    def counted(loop: Any, state: Any, rows: Any, order: np.ndarray) -> Any:
        members_of_calls.append(order.shape[0] if order.ndim == 3 else 1)
        return trained(loop, state, rows, order)

    with ExitStack() as patches:
        patches.enter_context(mock.patch.dict(architectures.BUILDERS, tiny=layers_of_tiny))
        patches.enter_context(mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: True))
        patches.enter_context(mock.patch.object(jax_loop.JaxLoop, "trained", counted))
        outcomes = stack.fit_stack(specs, rows_of_two_folds(), kept)
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


def test_each_member_of_a_stack_ends_with_the_numbers_that_it_has_alone(
    process: Executor, alone: list[MemberResult]
) -> None:
    outcomes, kept, members_of_calls = process.submit(stack, members()).result()
    assert members_of_calls == [3, 3, 3, 3]
    assert not np.allclose(outcomes[0].prediction.test_proba, outcomes[1].prediction.test_proba, atol=1e-2)
    for number, expected in enumerate(alone):
        assert_close(outcomes[number], expected)
        assert sorted(kept[number].states) == [1, 2, 3, 4]
