"""Training in long calls on JAX gives the numbers that Keras's own loop gives.

In a process of its own, on a CPU: small images and a single convolution, since XLA compiles more of them within a loop
for minutes there.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any
from unittest import mock

import numpy as np
import pytest
from factories import Kept, rows_of, same, spec_of

from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult
from digits_ray.progress import Progress
from digits_ray.training import device

pytest.importorskip("jax")

RECIPES: dict[str, dict[str, Any]] = {
    "one_cycle": {"schedule": "one_cycle", "ema": 0.9, "label_smoothing": 0.1},
    "exponential": {"schedule": "exponential", "decay": 0.5},
    "plateau": {"schedule": "plateau", "validation": 0.2, "patience": 1, "decay": 0.5, "min_learning_rate": 1e-5},
}


@dataclass(frozen=True)
class Fit:
    """What became of a member."""

    result: MemberResult
    states: dict[int, bytes]
    progress: list[Progress]


@pytest.fixture(scope="module")
def jax_process() -> Iterator[Executor]:
    resources = device.DeviceResources(2, backend="jax")
    with ProcessPoolExecutor(1, get_context("spawn"), device.claim, (resources,)) as process:
        yield process


def fit(long_calls: bool, states: dict[int, bytes] | None = None, call_batches: int = 1000, **recipe: Any) -> Fit:
    """Trains a network of one convolution, normalisation and dropout."""
    from keras import layers

    from digits_ray.training import architectures, fit_member, scan

    def layers_of_tiny(side: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(
                4, 3, activation="relu", use_bias=False
            ),  # a bias here has gradients of rounding errors alone
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.2),
        ]

    rows, checkpoints, progress = rows_of(), Kept(states), list[Progress]()
    spec = spec_of(architecture="tiny", **{"backend": "jax", "precision": "float32", "epochs": 4, **recipe})
    with (
        mock.patch.dict(architectures.BUILDERS, tiny=layers_of_tiny),
        mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: long_calls),
        mock.patch.object(scan, "CALL_PIXELS", call_batches * 16 * 8 * 8),
    ):
        return Fit(fit_member(spec, rows, checkpoints, progress.append), checkpoints.states, progress)


def curves(result: MemberResult) -> dict[str, np.ndarray]:
    """Returns what the history records, (epochs,) each, but the seconds."""
    names = [name for name in result.history[0] if name != "seconds"]
    return {name: np.array([entry[name] for entry in result.history]) for name in names}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_long_calls_give_the_numbers_of_keras_own_loop(jax_process: Executor, recipe: dict[str, Any]) -> None:
    keras_loop = jax_process.submit(fit, False, **recipe).result().result
    long_calls = jax_process.submit(fit, True, **recipe).result().result
    expected, found = curves(keras_loop), curves(long_calls)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.allclose(found[name], values, rtol=1e-5, atol=1e-5), name
    assert np.allclose(long_calls.prediction.holdout_proba, keras_loop.prediction.holdout_proba, atol=1e-5)
    assert np.allclose(long_calls.prediction.test_proba, keras_loop.prediction.test_proba, atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_member_resumed_between_long_calls_ends_bit_for_bit_as_if_undisturbed(
    jax_process: Executor, recipe: dict[str, Any]
) -> None:
    undisturbed = jax_process.submit(fit, True, **recipe).result()
    for saved in (1, 3, 4):
        resumed = jax_process.submit(fit, True, {saved: undisturbed.states[saved]}, **recipe).result()
        assert resumed.result.start_epoch == saved
        assert same(resumed.result, undisturbed.result)
        expected, found = curves(undisturbed.result), curves(resumed.result)
        assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_a_member_begun_in_long_calls_goes_on_in_keras_own_loop(jax_process: Executor) -> None:
    undisturbed = jax_process.submit(fit, True, **RECIPES["one_cycle"]).result()
    resumed = jax_process.submit(fit, False, {2: undisturbed.states[2]}, **RECIPES["one_cycle"]).result()
    assert resumed.result.start_epoch == 2
    assert np.allclose(resumed.result.prediction.test_proba, undisturbed.result.prediction.test_proba, atol=1e-5)


def test_how_many_batches_a_call_has_changes_nothing_but_when_progress_is_told(jax_process: Executor) -> None:
    whole_epochs = jax_process.submit(fit, True, epochs=2).result()
    by_two = jax_process.submit(fit, True, call_batches=2, epochs=2).result()
    assert np.allclose(by_two.result.prediction.test_proba, whole_epochs.result.prediction.test_proba, atol=1e-6)
    assert list(dict.fromkeys(progress.epoch for progress in whole_epochs.progress)) == [1.0, 2.0]
    assert list(dict.fromkeys(progress.epoch for progress in by_two.progress)) == [
        0.4,
        0.8,
        1.0,
        1.4,
        1.8,
        2.0,
    ]  # five batches
    assert by_two.progress[-1].seconds_left == 0


def test_a_loss_that_is_no_number_ends_the_fit(jax_process: Executor) -> None:
    doomed = jax_process.submit(fit, True, learning_rate=1e30, schedule="constant")
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        doomed.result()


def rows_on_device(rows: RowSource) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels on the device in the order of the first epoch."""
    from digits_ray.training.batches import TrainingBatches
    from digits_ray.training.scan import DeviceRows

    batches = TrainingBatches(rows, rows.train_index(0)[::-1], 16, seed=1)
    on_device = DeviceRows.of(batches)
    order = on_device.row_of[batches.order]
    assert on_device.images.dtype == np.uint8
    return np.array(on_device.images)[order], np.array(on_device.labels)[order]


def test_the_device_holds_the_training_rows_alone(jax_process: Executor) -> None:
    rows = rows_of()
    images, labels = jax_process.submit(rows_on_device, rows).result()
    order = rows.epoch_order(rows.train_index(0)[::-1], 1, 0)
    assert np.array_equal(images, rows.images[order])
    assert np.array_equal(labels, rows.labels[order])


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def test_a_cpu_keeps_to_keras_own_loop(jax_process: Executor) -> None:
    assert jax_process.submit(call, device.trains_in_long_calls, 1).result() is False
    assert device.trains_in_long_calls(1) is False  # on TensorFlow
