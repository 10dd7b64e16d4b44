"""One member's fit, from start to end: a plain function of a spec and rows, without Ray.

Everything random is drawn from the member's seed: the first weights, dropout and augmentation (the state of their
generators is saved with the weights) and each epoch's order of rows (from seed and epoch alone). So a member that was
interrupted and resumed ends with the numbers of one that was not.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult, Prediction, member_name
from digits_ray.progress import Progress
from digits_ray.training import device
from digits_ray.training.batches import (
    InferenceBatches,
    PredictionBatches,
    TrainingBatches,
    split_off_validation,
)
from digits_ray.training.callbacks import (
    EpochOrder,
    EpochSaver,
    FitCallbacks,
    HistoryRecorder,
    ProgressReporter,
    ResumablePlateau,
)
from digits_ray.training.checkpoints import Checkpoints
from digits_ray.training.compiled import CompiledNetwork
from digits_ray.training.model_file import model_file
from digits_ray.training.numbers_check import NetworkKind, checked_step
from digits_ray.training.numbers_version import PASSED_OVER, latest_state
from digits_ray.training.prediction_check import check_predictions


def fit_member(
    spec: MemberSpec,
    rows: RowSource,
    checkpoints: Checkpoints | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> MemberResult:
    """Trains one member and predicts the rows it never saw.

    Args:
        spec: All that the training depends on, beside the rows.
        rows: Labelled rows and test rows, in memory or streamed; those of the member's fold are held out.
        checkpoints: Where to resume from and to save to after each epoch; without it nothing is saved.
        on_progress: Called after every call into the backend, which takes a few batches; while it validates and
            predicts, with the same progress again.

    Raises:
        FloatingPointError: the loss is no longer finite.
        PrecisionError: the backend computes wrong numbers in the precision that the recipe asks for.
        PredictionError: the trained network's predictions cannot be used.
    """
    fit = MemberFit.prepare(spec, rows, checkpoints, on_progress)
    fit.train()
    return fit.result()


@dataclass(frozen=True)
class MemberFit:
    """One member's fit: what it trains with, and what happens beside it."""

    spec: MemberSpec
    rows: RowSource
    batches: TrainingBatches
    validation: np.ndarray  # (rows,) int64 positions that are watched
    epochs: int  # in all
    compiled: CompiledNetwork  # its variables hold the member's state
    callbacks: FitCallbacks
    notes: tuple[str, ...]

    @classmethod
    def prepare(
        cls,
        spec: MemberSpec,
        rows: RowSource,
        checkpoints: Checkpoints | None,
        on_progress: Callable[[Progress], None],
        stacked: bool = False,
    ) -> "MemberFit":
        """Sets the network's variables to the member's start, or to where its latest saved epoch left it.

        Args:
            spec: As for `fit_member`, like the next two and its errors.
            rows: Alike.
            checkpoints: Alike.
            on_progress: Alike.
            stacked: Whether it is to be trained with others, as one program.
        """
        batches, validation = training_batches(spec, rows)
        epochs, shape, classes = total_epochs(spec.recipe, len(batches)), rows.image_shape, rows.num_classes
        kind = NetworkKind(spec.architecture, spec.recipe, shape, classes, len(batches), epochs, stacked)
        compiled, notes = checked_step(kind)
        compiled.start(spec.seed)
        saved = latest_state(checkpoints.candidates(), spec.recipe.backend) if checkpoints else None
        history = compiled.resume(saved)
        callbacks = FitCallbacks(
            plateau=ResumablePlateau(spec.recipe, history) if spec.recipe.schedule == "plateau" else None,
            order=EpochOrder(batches),
            progress=ProgressReporter(spec.member_id, epochs, batches, on_progress),
            history=HistoryRecorder(history),
            saver=EpochSaver(checkpoints, lambda: compiled.snapshot(history)) if checkpoints else None,
        )
        if saved is not None and callbacks.history.start_epoch == 0:
            notes = (*notes, PASSED_OVER)
        return cls(spec, rows, batches, validation, epochs, compiled, callbacks, notes)

    @property
    def first_epoch(self) -> int:
        """The first epoch that is still to be trained, counted from 0."""
        return self.callbacks.history.start_epoch

    def train(self) -> None:
        """Trains the epochs that are left."""
        if self.first_epoch < self.epochs:
            repeat = self.callbacks.progress.repeat
            watched = InferenceBatches(self.rows, self.validation, repeat) if len(self.validation) else None
            with self.callbacks.saver or nullcontext():
                self.compiled.train(self.batches, watched, self.first_epoch, self.epochs, self.callbacks.in_order())

    def result(self) -> MemberResult:
        """Returns what the trained member predicts, and its model."""
        self.compiled.average_weights(self.spec.recipe)
        return _result(self.spec, self.rows, self.compiled.trained_model(), self.callbacks, self.notes)


def training_batches(spec: MemberSpec, rows: RowSource) -> tuple[TrainingBatches, np.ndarray]:
    """Returns what a member trains on, and the positions (rows,) int64 that its plateau watches."""
    training, validation = split_off_validation(rows, spec)
    return TrainingBatches(rows, training, spec.recipe.batch_size, spec.seed), validation


def total_epochs(recipe: Recipe, steps_per_epoch: int) -> int:
    """Returns the recipe's epochs, or as many more as its `min_steps` takes on small data."""
    return max(recipe.epochs, math.ceil(recipe.min_steps / steps_per_epoch))


def _result(
    spec: MemberSpec, rows: RowSource, model: keras.Sequential, callbacks: FitCallbacks, notes: tuple[str, ...]
) -> MemberResult:
    history = callbacks.history.history
    return MemberResult(
        member_id=spec.member_id,
        prediction=_predict(spec, rows, model, callbacks.progress.repeat),
        history=history,
        model_file=model_file(model),
        fit_seconds=sum(entry["seconds"] for entry in history),
        images_per_second=callbacks.progress.images_per_second or 0.0,
        precision=keras.config.dtype_policy().name,
        device=device.name(),
        start_epoch=callbacks.history.start_epoch,
        notes=(*notes, *(callbacks.saver.unsaved.notes() if callbacks.saver else ())),
    )


def _predict(spec: MemberSpec, rows: RowSource, model: keras.Sequential, on_batch: Callable[[], None]) -> Prediction:
    held_out, test = rows.holdout_index(spec.fold), rows.test_index()
    index = np.concatenate([held_out, test])  # ascending: labelled rows come before test rows
    proba = np.zeros((len(index), rows.num_classes), np.float32)
    if len(index):
        order = rows.sorted_by_block(index)
        predicted = PredictionBatches(rows.images_at, order, on_batch).predicted_by(model)
        check_predictions(predicted, lambda part: rows.images_at(order[part]))
        proba[np.searchsorted(index, order)] = predicted
    return Prediction(
        model_id=member_name(spec.member_id),
        holdout_row_ids=rows.row_ids[held_out],
        holdout_proba=proba[: len(held_out)],
        test_row_ids=rows.row_ids[test],
        test_proba=proba[len(held_out) :],
    )
