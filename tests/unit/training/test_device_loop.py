"""Training in long calls gives the numbers that Keras's own loop gives.

In a process for each backend, on a CPU: small images and a single convolution, since XLA compiles more of them within a
loop for minutes there.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any
from unittest import mock

import numpy as np
import pytest
from factories import CLASSES, Kept, rows_of, same, spec_of

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


BACKENDS = ["jax", "tensorflow"]


class Process:
    """A process that trains members."""

    def __init__(self, executor: Executor) -> None:
        self.submit = executor.submit
        self._fits: dict[str, Fit] = {}

    def fit(self, long_calls: bool, **options: Any) -> Fit:
        """Returns what the function `fit` does, which trains each member once for all tests."""
        key = repr((long_calls, options))
        if key not in self._fits:
            self._fits[key] = self.submit(fit, long_calls, **options).result()
        return self._fits[key]


@pytest.fixture(scope="module", params=BACKENDS)
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    resources = device.DeviceResources(2, backend=request.param)
    with ProcessPoolExecutor(1, get_context("spawn"), device.claim, (resources,)) as executor:
        yield Process(executor)


def loop_class() -> Any:
    """Returns that of this process's backend."""
    import keras

    if keras.backend.backend() == "jax":
        from digits_ray.training.jax_loop import JaxLoop

        return JaxLoop
    from digits_ray.training.tensorflow_loop import TensorFlowLoop

    return TensorFlowLoop


def fit(
    long_calls: bool,
    states: dict[int, bytes] | None = None,
    call_batches: int = 1000,
    colour: bool = False,
    soft_labels: bool = False,
    **recipe: Any,
) -> Fit:
    """Trains a network of one convolution, normalisation and dropout."""
    import keras
    from keras import layers

    from digits_ray.training import architectures, fit_member

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
    if colour:
        rows = replace(rows, images=np.stack([rows.images, 255 - rows.images, rows.images // 2], axis=-1))
    if soft_labels:
        rows = replace(rows, soft_labels=(rows.one_hot_labels(np.arange(len(rows.labels))) + 1) / (1 + CLASSES))
    backend = keras.backend.backend()
    spec = spec_of(architecture="tiny", **{"backend": backend, "precision": "float32", "epochs": 4, **recipe})
    with (
        mock.patch.dict(architectures.BUILDERS, tiny=layers_of_tiny),
        mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: long_calls),
        mock.patch.object(loop_class(), "call_pixels", call_batches * 16 * 8 * 8),
    ):
        return Fit(fit_member(spec, rows, checkpoints, progress.append), checkpoints.states, progress)


def curves(result: MemberResult) -> dict[str, np.ndarray]:
    """Returns what the history records, (epochs,) each, but the seconds."""
    names = [name for name in result.history[0] if name != "seconds"]
    return {name: np.array([entry[name] for entry in result.history]) for name in names}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_long_calls_give_the_numbers_of_keras_own_loop(process: Process, recipe: dict[str, Any]) -> None:
    keras_loop = process.fit(False, **recipe).result
    long_calls = process.fit(True, **recipe).result
    expected, found = curves(keras_loop), curves(long_calls)
    assert list(found) == list(expected)
    if process.submit(backend_name).result() == "tensorflow":
        assert same(long_calls, keras_loop)
    for name, values in expected.items():
        assert np.allclose(found[name], values, rtol=1e-5, atol=1e-5), name
    assert np.allclose(long_calls.prediction.holdout_proba, keras_loop.prediction.holdout_proba, atol=1e-5)
    assert np.allclose(long_calls.prediction.test_proba, keras_loop.prediction.test_proba, atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_member_resumed_between_long_calls_ends_bit_for_bit_as_if_undisturbed(
    process: Process, recipe: dict[str, Any]
) -> None:
    undisturbed = process.fit(True, **recipe)
    for saved in (1, 3, 4):
        resumed = process.submit(fit, True, {saved: undisturbed.states[saved]}, **recipe).result()
        assert resumed.result.start_epoch == saved
        assert same(resumed.result, undisturbed.result)
        expected, found = curves(undisturbed.result), curves(resumed.result)
        assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_a_member_begun_in_long_calls_goes_on_in_keras_own_loop(process: Process) -> None:
    undisturbed = process.fit(True, **RECIPES["one_cycle"])
    resumed = process.submit(fit, False, {2: undisturbed.states[2]}, **RECIPES["one_cycle"]).result()
    assert resumed.result.start_epoch == 2
    assert np.allclose(resumed.result.prediction.test_proba, undisturbed.result.prediction.test_proba, atol=1e-5)


def test_how_many_batches_a_call_has_changes_nothing_but_when_progress_is_told(process: Process) -> None:
    whole_epochs = process.fit(True, epochs=2)
    by_two = process.fit(True, call_batches=2, epochs=2)
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


def test_long_calls_train_on_colour_images_too(process: Process) -> None:
    keras_loop = process.fit(False, colour=True, epochs=2).result
    long_calls = process.fit(True, colour=True, epochs=2).result
    assert np.allclose(long_calls.prediction.test_proba, keras_loop.prediction.test_proba, atol=1e-5)


def test_long_calls_train_towards_soft_labels_too(process: Process) -> None:
    keras_loop = process.fit(False, soft_labels=True, epochs=2).result
    long_calls = process.fit(True, soft_labels=True, epochs=2).result
    labels_alone = process.fit(True, epochs=2).result
    assert np.allclose(long_calls.prediction.test_proba, keras_loop.prediction.test_proba, atol=1e-5)
    assert not np.allclose(long_calls.prediction.test_proba, labels_alone.prediction.test_proba, atol=1e-3)


def test_a_loss_that_is_no_number_ends_the_fit(process: Process) -> None:
    doomed = process.submit(fit, True, learning_rate=1e30, schedule="constant")
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        doomed.result()


def rows_on_device(rows: RowSource) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels on the device in the order of the first epoch."""
    import keras

    from digits_ray.training import compiled_step
    from digits_ray.training.batches import TrainingBatches

    batches = TrainingBatches(rows, rows.train_index(0)[::-1], 16, seed=1)
    recipe = spec_of(backend=keras.backend.backend()).recipe
    compiled = compiled_step("compact", recipe, rows.image_shape, rows.num_classes, len(batches), 1)
    on_device = compiled._device_loop.rows_of(batches)
    order = on_device.row_of[batches.order]
    assert on_device.images.dtype == np.uint8
    return np.array(on_device.images)[order], np.array(on_device.labels)[order]


def test_the_device_holds_the_training_rows_alone(process: Process) -> None:
    rows = rows_of()
    images, labels = process.submit(rows_on_device, rows).result()
    order = rows.epoch_order(rows.train_index(0)[::-1], 1, 0)
    assert np.array_equal(images, rows.images[order])
    assert np.array_equal(labels, rows.labels[order])


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def test_on_a_cpu_tensorflow_trains_in_long_calls_where_a_second_copy_fits_and_jax_never(process: Process) -> None:
    backend = process.submit(backend_name).result()
    answers = [process.submit(call, device.trains_in_long_calls, image_bytes).result() for image_bytes in (1, 1 << 40)]
    assert answers == ([False, False] if backend == "jax" else [True, False])


def backend_name() -> str:
    import keras

    return keras.backend.backend()
