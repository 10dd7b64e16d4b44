"""One member's fit: what it learns, what it never sees, and that an interruption leaves no trace."""

from dataclasses import replace
from functools import cache
from io import BytesIO

import numpy as np
import pytest
from factories import CLASSES, SIDE, Kept, rows_of, same, spec_of

from digits_ray.config import ALL_ROWS, Recipe
from digits_ray.ensemble import MemberResult
from digits_ray.errors import UserError
from digits_ray.progress import Progress
from digits_ray.training import compiled, device, fit
from digits_ray.training.checkpoints import History

RECIPES = {
    "one_cycle with averaged weights": {"schedule": "one_cycle", "ema": 0.9, "label_smoothing": 0.1},
    "exponential": {"schedule": "exponential", "decay": 0.5},
    "plateau": {"schedule": "plateau", "validation": 0.2, "patience": 1, "decay": 0.5, "min_learning_rate": 1e-5},
}


@cache
def undisturbed_fit(recipe: str) -> tuple[MemberResult, Kept]:
    """A member's result and saved epochs."""
    states = Kept()
    return fit.fit_member(spec_of(epochs=4, **RECIPES[recipe]), rows_of(), states), states


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("saved", [1, 2, 4])
def test_a_member_resumed_from_any_epoch_ends_bit_for_bit_as_if_undisturbed(recipe: str, saved: int) -> None:
    undisturbed, states = undisturbed_fit(recipe)
    resumed = fit.fit_member(spec_of(epochs=4, **RECIPES[recipe]), rows_of(), Kept({saved: states.states[saved]}))
    assert resumed.start_epoch == saved
    assert same(resumed, undisturbed)
    assert without_seconds(resumed.history) == without_seconds(undisturbed.history)


def without_seconds(history: History) -> History:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


def test_the_plateau_halves_the_rate_and_respects_the_floor() -> None:
    recipe = RECIPES["plateau"] | {"learning_rate": 1e-9, "min_learning_rate": 4e-10}  # too slow to learn: a plateau
    rates = [entry["learning_rate"] for entry in fit.fit_member(spec_of(epochs=6, **recipe), rows_of()).history]
    assert rates == pytest.approx([1e-9, 5e-10, 4e-10, 4e-10, 4e-10, 4e-10])


def test_a_member_learns() -> None:
    rows = rows_of(labelled=300, held_out=60)
    result = fit.fit_member(spec_of(epochs=12, learning_rate=3e-3), rows)
    right = result.prediction.holdout_proba.argmax(1) == rows.labels[rows.holdout_index(0)]
    assert right.mean() > 0.9
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_a_member_learns_what_a_teacher_says_in_the_place_of_labels() -> None:
    rows = rows_of(labelled=300, held_out=60)
    other = np.roll(rows.one_hot_labels(np.arange(len(rows.labels))), 1, axis=1)
    result = fit.fit_member(spec_of(epochs=12, learning_rate=3e-3), replace(rows, soft_labels=other))
    said = other[rows.holdout_index(0)].argmax(axis=1)
    assert (result.prediction.holdout_proba.argmax(axis=1) == said).mean() > 0.9


def test_every_prediction_carries_its_row_id_and_rows_sum_to_one() -> None:
    rows = rows_of(labelled=60, held_out=20, test=7)
    prediction = fit.fit_member(spec_of(epochs=1), rows).prediction
    assert prediction.holdout_row_ids.tolist() == list(range(20))
    assert prediction.test_row_ids.tolist() == list(range(7))
    assert prediction.holdout_proba.shape == (20, CLASSES)
    assert prediction.test_proba.dtype == np.float32
    assert np.allclose(prediction.test_proba.sum(axis=1), 1, atol=1e-5)


def test_held_out_labels_change_nothing() -> None:
    rows, spoilt = rows_of(), rows_of()
    spoilt.labels[spoilt.holdout_index(0)] = 0
    spec = spec_of(**RECIPES["plateau"])
    assert same(fit.fit_member(spec, rows), fit.fit_member(spec, spoilt))


def test_the_seed_decides_and_a_used_process_is_as_good_as_a_new_one() -> None:
    rows = rows_of()
    first = fit.fit_member(spec_of(seed=1), rows)
    other = fit.fit_member(spec_of(seed=2), rows)
    assert not same(first, other)
    compiled.compiled_step.cache_clear()  # as in a new process
    assert same(fit.fit_member(spec_of(seed=2), rows), other)


def test_small_data_get_more_epochs_until_min_steps() -> None:
    assert fit.total_epochs(spec_of(epochs=3, min_steps=100).recipe, steps_per_epoch=10) == 10
    assert fit.total_epochs(spec_of(epochs=3, min_steps=100).recipe, steps_per_epoch=300) == 3


def test_averaged_weights_are_the_ones_that_count() -> None:
    plain, averaged = (fit.fit_member(spec_of(ema=ema), rows_of()) for ema in (0.0, 0.99))
    assert not same(plain, averaged)


def test_label_smoothing_is_taken_off_what_members_predict() -> None:
    """A network sees through this task in a moment; smoothed by half, it would be two thirds sure at most."""
    result = fit.fit_member(spec_of(epochs=40, learning_rate=3e-3, label_smoothing=0.5), rows_of())
    assert np.median(result.prediction.holdout_proba.max(axis=1)) > 0.8
    assert np.allclose(result.prediction.holdout_proba.sum(axis=1), 1, atol=1e-6)


def test_progress_is_told_after_each_call_of_several_batches(monkeypatch) -> None:
    reports: list[Progress] = []
    rows = rows_of(labelled=96, held_out=16)  # five batches
    batches_a_call(monkeypatch, 2)
    fit.fit_member(spec_of(member_id=7, epochs=2), rows, on_progress=reports.append)
    assert list(dict.fromkeys(progress.epoch for progress in reports)) == [0.4, 0.8, 1.0, 1.4, 1.8, 2.0]
    assert reports[-1].member_id == 7
    assert reports[-1].seconds_left == 0
    assert all(progress.loss is not None for progress in reports)


def test_how_many_batches_a_call_takes_changes_nothing(monkeypatch) -> None:
    rows, fitted = rows_of(labelled=96, held_out=16), []
    for batches in (1, 2, 100):
        batches_a_call(monkeypatch, batches)
        fitted.append(fit.fit_member(spec_of(epochs=2), rows))
    assert same(fitted[0], fitted[1])
    assert same(fitted[0], fitted[2])
    assert [entry["loss"] for entry in fitted[0].history] == [entry["loss"] for entry in fitted[2].history]


def test_validation_and_prediction_are_told_as_progress_too() -> None:
    reports: list[Progress] = []
    rows = rows_of(labelled=96, held_out=16)
    fit.fit_member(spec_of(epochs=1, **RECIPES["plateau"]), rows, on_progress=reports.append)
    trained = list(dict.fromkeys(reports))
    assert len(reports) >= len(trained) + 2
    assert reports[-1] == trained[-1]


def batches_a_call(monkeypatch, batches: int) -> None:
    """In Keras's own loop, which streamed rows are trained with."""
    monkeypatch.setattr(device, "trains_in_long_calls", lambda image_bytes: False)
    monkeypatch.setattr(compiled, "CALL_PIXELS", batches * 16 * SIDE * SIDE)
    compiled.compiled_step.cache_clear()


def test_a_disk_that_is_full_costs_the_saved_epoch_but_not_the_training() -> None:
    class Full(Kept):
        def save(self, epoch: int, state: bytes) -> None:
            raise UserError("the disk is full")

    result = fit.fit_member(spec_of(epochs=2), rows_of(), Full())
    assert len(result.history) == 2
    assert result.notes == ("2 of the epochs 1 to 2 were not saved: the disk is full",)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_no_number_ends_the_attempt_and_saves_nothing() -> None:
    states = Kept()
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        fit.fit_member(spec_of(learning_rate=1e30, schedule="constant", epochs=3), rows_of(), states)
    assert all(np.isfinite(np.load(BytesIO(s))["variable_0001"]).all() for s in states.states.values())


def test_members_of_different_folds_score_different_rows() -> None:
    rows = rows_of(labelled=60, held_out=0)
    rows.folds[:60] = np.arange(60) % 3
    for fold in range(3):
        ids = fit.fit_member(spec_of(fold=fold, epochs=1), rows).prediction.holdout_row_ids
        assert ids.tolist() == list(range(fold, 60, 3))


def test_a_refit_learns_from_the_held_out_rows_too_and_scores_none() -> None:
    rows = rows_of(labelled=60, held_out=20, test=7)
    first, refit = (fit.fit_member(spec_of(epochs=1, fold=fold), rows).prediction for fold in (0, ALL_ROWS))
    assert len(refit.holdout_row_ids) == 0
    assert refit.test_row_ids.tolist() == list(range(7))
    assert not np.array_equal(refit.test_proba, first.test_proba)
    rows.labels[:20] = (rows.labels[:20] + 1) % CLASSES  # labels of the rows that were held out
    assert not np.array_equal(
        fit.fit_member(spec_of(epochs=1, fold=ALL_ROWS), rows).prediction.test_proba, refit.test_proba
    )


def test_a_run_without_holdout_and_test_predicts_nothing() -> None:
    rows = rows_of(labelled=40, held_out=0, test=0)
    prediction = fit.fit_member(spec_of(epochs=1), rows).prediction
    assert prediction.holdout_proba.shape == prediction.test_proba.shape == (0, CLASSES)


def test_bfloat16_members_give_float32_probabilities() -> None:
    result = fit.fit_member(spec_of(precision="bfloat16", epochs=1), rows_of(labelled=40, held_out=8))
    assert result.precision == "mixed_bfloat16"
    assert result.prediction.holdout_proba.dtype == np.float32


def test_a_fit_of_a_single_step_has_a_learning_rate() -> None:
    schedule = compiled._learning_rate(Recipe(schedule="one_cycle", learning_rate=0.01), 1, 1)
    assert [round(float(schedule(step)), 4) for step in (0, 1)] == [0.0004, 0.01]
