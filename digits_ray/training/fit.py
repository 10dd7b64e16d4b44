"""One member's fit, from start to end: a plain function of a spec and rows, without Ray.

Everything random is drawn from the member's seed: the first weights, dropout and augmentation (the state of their
generators is saved with the weights) and each epoch's order of rows (from seed and epoch alone). So a member that was
interrupted and resumed ends with the numbers of one that was not.
"""

import math
from collections.abc import Callable

import keras
import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult, Prediction, member_name
from digits_ray.progress import Progress
from digits_ray.training import device
from digits_ray.training.batches import InferenceBatches, TrainingBatches, split_off_validation
from digits_ray.training.callbacks import (
    EpochOrder,
    EpochSaver,
    FitCallbacks,
    HistoryRecorder,
    ProgressReporter,
    ResumablePlateau,
)
from digits_ray.training.checkpoints import Checkpoints
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
    training, validation = split_off_validation(rows, spec)
    batches = TrainingBatches(rows, training, spec.recipe.batch_size, spec.seed)
    epochs = total_epochs(spec.recipe, len(batches))
    shape, classes = rows.image_shape, rows.num_classes
    compiled, notes = checked_step(NetworkKind(spec.architecture, spec.recipe, shape, classes, len(batches), epochs))
    compiled.start(spec.seed)
    saved = latest_state(checkpoints.candidates()) if checkpoints else None
    history = compiled.resume(saved)
    callbacks = FitCallbacks(
        plateau=ResumablePlateau(spec.recipe, history) if spec.recipe.schedule == "plateau" else None,
        order=EpochOrder(batches),
        progress=ProgressReporter(spec.member_id, epochs, batches, on_progress),
        history=HistoryRecorder(history),
        saver=EpochSaver(checkpoints, lambda: compiled.save(history)) if checkpoints else None,
    )
    if len(history) < epochs:
        watched = InferenceBatches(rows, validation, callbacks.progress.repeat) if len(validation) else None
        compiled.train(batches, watched, len(history), epochs, callbacks.in_order())
    compiled.average_weights(spec.recipe)
    if saved is not None and callbacks.history.start_epoch == 0:
        notes = (*notes, PASSED_OVER)
    return _result(spec, rows, compiled.trained_model(), callbacks, notes)


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
        batches = InferenceBatches(rows, index, on_batch)
        predicted = model.predict(batches, verbose=0)
        check_predictions(predicted, lambda part: rows.images_at(batches.order[part]))
        proba[np.searchsorted(index, batches.order)] = predicted
    return Prediction(
        model_id=member_name(spec.member_id),
        holdout_row_ids=rows.row_ids[held_out],
        holdout_proba=proba[: len(held_out)],
        test_row_ids=rows.row_ids[test],
        test_proba=proba[len(held_out) :],
    )
