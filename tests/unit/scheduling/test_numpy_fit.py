"""The network that stands in for real ones in tests of processes keeps what `fit_member` promises."""

from dataclasses import replace

import numpy as np
import numpy_fit
import pytest
from factories import Kept, rows_of, same, spec_of

from digits_ray.errors import RunError
from digits_ray.progress import Progress


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_fit, "EPOCH_SECONDS", 0.0)


def fit(spec, rows=None, checkpoints=None, on_progress=lambda progress: None):
    return numpy_fit.fit(spec, rows or rows_of(), checkpoints, on_progress)


def test_it_learns() -> None:
    rows = rows_of()
    proba = fit(spec_of(epochs=60, learning_rate=0.01), rows).prediction.holdout_proba
    assert (proba.argmax(1) == rows.labels[rows.holdout_index(0)]).mean() > 0.9
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)


def test_its_prediction_depends_on_every_epoch_and_on_the_seed() -> None:
    three = fit(spec_of(epochs=3))
    assert same(three, fit(spec_of(epochs=3)))
    assert not same(three, fit(spec_of(epochs=4)))
    assert not same(three, fit(spec_of(epochs=3, seed=2)))


def test_a_member_of_a_fold_scores_its_rows() -> None:
    rows = rows_of()
    rows.folds[30:60] = 1
    first, second = (fit(spec_of(fold=fold), rows).prediction for fold in (0, 1))
    assert first.holdout_row_ids.tolist() == list(range(30))
    assert second.holdout_row_ids.tolist() == list(range(30, 60))
    assert not np.array_equal(first.test_proba, second.test_proba)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resumed_from_any_epoch_it_ends_bit_for_bit_as_if_undisturbed(epoch: int) -> None:
    kept = Kept()
    undisturbed = fit(spec_of(epochs=3), checkpoints=kept)
    resumed = fit(spec_of(epochs=3), checkpoints=Kept({epoch: kept.states[epoch]}))
    assert same(resumed, undisturbed)
    assert (resumed.start_epoch, resumed.history) == (epoch, undisturbed.history)


def test_it_tells_how_far_it_is() -> None:
    reports: list[Progress] = []
    fit(spec_of(7, epochs=3), on_progress=reports.append)
    assert [(progress.member_id, progress.epoch, progress.epochs) for progress in reports] == [
        (7, 1.0, 3), (7, 2.0, 3), (7, 3.0, 3),
    ]  # fmt: skip


def test_it_refuses_what_fit_member_refuses() -> None:
    with pytest.raises(KeyError, match="unheard of"):
        fit(spec_of(architecture="unheard of"))
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        fit(spec_of(learning_rate=1e30))


def test_storage_that_fails_is_told_and_does_not_cost_the_training() -> None:
    class Full(Kept):
        def save(self, epoch: int, state: bytes) -> None:
            raise RunError("the disk is full")

    result = fit(spec_of(epochs=3), checkpoints=Full())
    assert result.notes == ("3 of the epochs 1 to 3 were not saved: the disk is full",)
    assert same(replace(result, notes=()), fit(spec_of(epochs=3)))
