"""A network that is computed wrongly in bfloat16: trained in float32, or refused where bfloat16 was asked for."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from factories import CLASSES, SIDE, Kept, rows_of, same, spec_of

from digits_ray.training import architectures, compiled, device, fit, numbers_check
from digits_ray.training.batches import PREDICT_BATCH
from digits_ray.training.numbers_check import NetworkKind, PrecisionError, precision_disagreement
from digits_ray.training.prediction_check import PredictionError, check_predictions


class Wrong(keras.layers.Layer):
    """Spoils what passes through it in bfloat16, for many rows at a time or in training alone."""

    def __init__(self, in_training: bool, factor: float, **others: Any) -> None:
        super().__init__(**others)
        self.in_training, self.factor = in_training, factor

    def call(self, values: Any, training: bool = False) -> Any:
        wrong = self.compute_dtype == "bfloat16" and training == self.in_training
        return values * self.factor if wrong else values


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing compiled, nothing checked; a device that multiplies bfloat16, whatever this machine's does."""
    monkeypatch.setattr(device.precision, "has_bfloat16", lambda: True)
    before = keras.config.dtype_policy()
    forget()
    yield
    forget()
    keras.config.set_dtype_policy(before)


def forget() -> None:
    compiled.compiled_step.cache_clear()
    precision_disagreement.cache_clear()


def spoil(monkeypatch: pytest.MonkeyPatch, in_training: bool = False, factor: float = 0.0) -> None:
    monkeypatch.setitem(
        architectures.BUILDERS,
        "compact",
        lambda side: [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu"), Wrong(in_training, factor)],
    )


class Traced(keras.layers.Layer):
    """Counts how often it is compiled into a program that predicts in float32."""

    def call(self, values: Any, training: bool = False) -> Any:
        if not training and self.compute_dtype == "float32" and values.shape[0] == PREDICT_BATCH:
            SHAPES.append(values.shape)
        return values


SHAPES: list[Any] = []


class WrongForManyRows(keras.layers.Layer):
    """Spoils in bfloat16 what has so many rows, as jaxlib 0.11.2 did at 512 and not at 384."""

    def __init__(self, rows: int, **others: Any) -> None:
        super().__init__(**others)
        self.rows = rows

    def call(self, values: Any) -> Any:
        return values * 0.0 if self.compute_dtype == "bfloat16" and values.shape[0] == self.rows else values


class WrongGradient(keras.layers.Layer):
    """Gives what passes through it, and in bfloat16 a gradient that is no number."""

    def call(self, values: Any) -> Any:
        zeros = values * 0.0
        return values + keras.ops.sqrt(zeros) if self.compute_dtype == "bfloat16" else values


def kind(**recipe: object) -> NetworkKind:
    return NetworkKind("compact", spec_of(**recipe).recipe, (SIDE, SIDE), CLASSES, steps_per_epoch=5, epochs=2)


@pytest.mark.parametrize(
    ("in_training", "factor", "what"),
    [
        (False, 0.0, "predictions of 512 rows are .* % off float32"),
        (False, float("nan"), "predictions of 512 rows are not finite"),
        (True, float("nan"), "the loss of 16 rows is not finite"),
        (True, 100.0, "the loss of 16 rows is .* % off float32"),
    ],
)
def test_a_network_computed_wrongly_is_trained_in_float32_and_says_so(
    monkeypatch: pytest.MonkeyPatch, in_training: bool, factor: float, what: str
) -> None:
    spoil(monkeypatch, in_training, factor)
    if np.isfinite(factor):
        monkeypatch.setattr(numbers_check, "_draws_the_same_masks", lambda: True)  # this network has no dropout
    result = fit.fit_member(spec_of(), rows_of())
    assert result.precision == "float32"
    (note,) = result.notes
    assert note.startswith("trained in float32, for bfloat16 is not computed rightly here: ")
    assert re.search(what, note)
    forget()
    assert same(result, fit.fit_member(spec_of(precision="float32"), rows_of()))


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (lambda: WrongForManyRows(PREDICT_BATCH), f"predictions of {PREDICT_BATCH} rows are .* % off float32"),
        (WrongGradient, "weights are not finite after one batch of 16 rows"),
    ],
)
def test_what_shows_only_in_a_batch_as_it_is_used_or_in_its_gradient_is_noticed(
    monkeypatch: pytest.MonkeyPatch, layer: Callable[[], keras.layers.Layer], what: str
) -> None:
    monkeypatch.setitem(
        architectures.BUILDERS, "compact", lambda side: [keras.layers.Flatten(), keras.layers.Dense(8), layer()]
    )
    assert re.search(what, precision_disagreement(kind()))


def test_a_wrong_precision_that_was_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch)
    with pytest.raises(PrecisionError, match=r"bfloat16 is not computed rightly here: .* Set precision to auto"):
        fit.fit_member(spec_of(precision="bfloat16"), rows_of())


def test_what_was_found_counts_for_every_later_member_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch)
    first = fit.fit_member(spec_of(1), rows_of())
    later = fit.fit_member(spec_of(2, seed=2), rows_of())
    assert (later.precision, later.notes) == ("float32", first.notes)
    assert precision_disagreement.cache_info().misses == 1


@pytest.mark.parametrize("name", ["compact", "deotte_plain", "notebook"])
def test_healthy_networks_agree_with_themselves_in_float32(name: str) -> None:
    recipe = spec_of(batch_size=128, label_smoothing=0.1, ema=0.9).recipe
    assert precision_disagreement(NetworkKind(name, recipe, (SIDE, SIDE), CLASSES, 5, 2)) == ""


def test_the_program_that_predicts_is_compiled_once_for_the_check_and_all_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU, compiling one takes seconds; rows that fill no batch were another one."""
    monkeypatch.setitem(
        architectures.BUILDERS, "compact", lambda side: [keras.layers.Flatten(), Traced(), keras.layers.Dense(8)]
    )
    SHAPES.clear()
    for member_id in (1, 2):
        assert fit.fit_member(spec_of(member_id, epochs=1), rows_of()).precision == "mixed_bfloat16"
    assert len(SHAPES) == 1


def test_the_check_leaves_no_trace_in_what_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    states, unchecked_states = Kept(), Kept()
    checked = fit.fit_member(spec_of(), rows_of(), states)
    forget()
    monkeypatch.setattr(numbers_check, "precision_disagreement", lambda kind: "")
    unchecked = fit.fit_member(spec_of(), rows_of(), unchecked_states)
    assert checked.precision == unchecked.precision == "mixed_bfloat16"
    assert checked.notes == ()
    assert same(checked, unchecked)
    assert [entry["loss"] for entry in checked.history] == [entry["loss"] for entry in unchecked.history]


def test_float32_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers_check, "precision_disagreement", lambda kind: pytest.fail("it was checked"))
    fit.fit_member(spec_of(precision="float32", epochs=1), rows_of())


# Predictions

IMAGES = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([[0.5, 0.5], [np.nan, 0.5], [1, 0]], "1 of 3 rows .* with NaN or infinity"),
        ([[0.5, 0.5], [0.5, 0.1], [1, 0]], "1 of 3 rows .* not summing to 1$"),
        ([[0.1, 0.9]] * 3, "the same for all 3 rows, although the images differ"),
    ],
)
def test_predictions_that_cannot_be_right_are_refused(proba: list[list[float]], message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        check_predictions(np.array(proba, np.float32), lambda part: IMAGES[part])


@pytest.mark.parametrize("images", [IMAGES[:1], np.zeros((3, 2, 2), np.uint8), IMAGES[:0]])
def test_equal_predictions_of_equal_images_are_right(images: np.ndarray) -> None:
    check_predictions(np.full((len(images), 2), 0.5, np.float32), lambda part: images[part])


def test_a_member_that_predicts_the_same_for_every_row_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        architectures.BUILDERS, "compact", lambda side: [keras.layers.Rescaling(0.0), keras.layers.Flatten()]
    )
    with pytest.raises(PredictionError, match="the same for all 42 rows"):
        fit.fit_member(spec_of(precision="float32"), rows_of())
