"""Keras callbacks of a member's fit, one for each duty."""

import math
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import keras

from digits_ray.config import Recipe
from digits_ray.errors import RunError, UserError
from digits_ray.progress import Progress, UnsavedEpochs
from digits_ray.training.batches import TrainingBatches
from digits_ray.training.checkpoints import Checkpoints, History


class ResumablePlateau(keras.callbacks.ReduceLROnPlateau):
    """Keras's callback, brought by the earlier epochs to where an interrupted fit had left it."""

    def __init__(self, recipe: Recipe, history: History) -> None:
        """Takes the history before this fit."""
        super().__init__("val_accuracy", factor=recipe.decay, patience=recipe.patience, min_lr=recipe.min_learning_rate)
        self.recipe, self.earlier_epochs = recipe, list(history)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        self.model.optimizer.learning_rate = self.recipe.learning_rate
        for epoch, entry in enumerate(self.earlier_epochs):
            self.on_epoch_end(epoch, dict(entry))


class EpochOrder(keras.callbacks.Callback):
    """Draws the order of the rows for each epoch."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.set_epoch(epoch)


class ProgressReporter(keras.callbacks.Callback):
    """Measures the speed and reports the progress after each call into the backend."""

    def __init__(
        self, member_id: int, epochs: int, batches: TrainingBatches, on_progress: Callable[[Progress], None]
    ) -> None:
        """Takes the number of epochs in all and what to call with the progress."""
        super().__init__()
        self.member_id, self.epochs, self.batches, self.on_progress = member_id, epochs, batches, on_progress
        self.images, self.seconds = 0, 0.0  # trained by this attempt, the first call (it compiles) left out
        self.has_compiled = False
        self.latest = Progress(member_id, epochs, epochs)  # of a fit that has nothing left to train

    @property
    def images_per_second(self) -> float | None:
        """The speed of this attempt; None before its second call."""
        return self.images / self.seconds if self.seconds else None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch, self.batches_done, self.call_started = epoch, 0, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the batches of one call; `batch` is its last, or lies behind the epoch's end."""
        now, done_before = time.perf_counter(), self.batches_done
        self.batches_done = min(batch + 1, len(self.batches))
        if self.has_compiled:
            self.images += (self.batches_done - done_before) * self.batches.batch_size
            self.seconds += now - self.call_started
        self.has_compiled, self.call_started = True, now
        self.latest = self._progress(logs["loss"])
        self.on_progress(self.latest)

    def repeat(self) -> None:
        """Reports the same progress again: the fit validates or predicts, and gets on."""
        self.on_progress(self.latest)

    def _progress(self, loss: float) -> Progress:
        epoch = self.epoch + self.batches_done / len(self.batches)
        images_left = (self.epochs - epoch) * len(self.batches) * self.batches.batch_size
        speed = self.images_per_second
        return Progress(self.member_id, epoch, self.epochs, float(loss), speed, images_left / speed if speed else None)


class HistoryRecorder(keras.callbacks.Callback):
    """Records each epoch's losses, learning rate and seconds, and ends a fit whose loss is no longer finite."""

    def __init__(self, history: History) -> None:
        """Takes the history before this fit, and appends to it."""
        super().__init__()
        self.history, self.start_epoch = history, len(history)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch_started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} after epoch {epoch + 1}. Lower the learning rate.")
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        entry = {name: float(value) for name, value in logs.items()} | {"learning_rate": learning_rate}
        self.history.append(entry | {"seconds": time.perf_counter() - self.epoch_started})


class EpochSaver(keras.callbacks.Callback):
    """Saves the state after each epoch, while the next one trains. To be closed, or used as a context."""

    def __init__(self, checkpoints: Checkpoints, snapshot: Callable[[], Callable[[], bytes]]) -> None:
        """Takes where to save to, and what copies the state and returns a function that returns it as bytes."""
        super().__init__()
        self.checkpoints, self.snapshot, self.unsaved = checkpoints, snapshot, UnsavedEpochs()
        self.thread = futures.ThreadPoolExecutor(1)
        self.saving: futures.Future[None] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        state = self.snapshot()
        self._wait()
        self.saving = self.thread.submit(self._save, epoch + 1, state)

    def close(self) -> None:
        """Waits until the last epoch is saved."""
        self.thread.shutdown()
        self._wait()

    def __enter__(self) -> "EpochSaver":
        return self

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        if error is None:
            self.close()
        else:  # it is what ended the training, whatever became of the last epoch
            self.thread.shutdown()

    def _wait(self) -> None:
        if self.saving:
            self.saving.result()

    def _save(self, epochs: int, state: Callable[[], bytes]) -> None:
        try:
            self.checkpoints.save(epochs, state())
        except (UserError, RunError) as error:  # a full disk or failing storage must not cost the training itself
            self.unsaved.add(epochs, error)


@dataclass(frozen=True)
class FitCallbacks:
    """Those of one fit."""

    plateau: ResumablePlateau | None
    order: EpochOrder
    progress: ProgressReporter
    history: HistoryRecorder
    saver: EpochSaver | None

    def in_order(self) -> list[keras.callbacks.Callback]:
        """Returns them as they must run: the plateau sets the rate that the history records, which is then saved."""
        callbacks = (self.plateau, self.order, self.progress, self.history, self.saver)
        return [callback for callback in callbacks if callback is not None]

    def wait_for_saver(self) -> None:
        """Waits until the last epoch is saved, or could not be."""
        if self.saver and self.saver.saving:
            futures.wait([self.saver.saving])

    def close(self) -> None:
        """Waits until the last epoch is saved, and raises the fault of the program by which it could not be."""
        if self.saver:
            self.saver.close()
