"""One member's fit, from start to end: a plain function of a spec and rows, without Ray.

Everything random is drawn from the member's seed: the first weights, dropout and augmentation (the state of their
generators is saved with the weights) and each epoch's order of rows (from seed and epoch alone). So a member that was
interrupted and resumed ends with the numbers of one that was not.
"""

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult, Prediction, member_name
from digits_ray.errors import RunError, UserError
from digits_ray.progress import Progress, Unsaved
from digits_ray.training import architectures, device
from digits_ray.training.augmentation import RandomAffine
from digits_ray.training.numbers_version import PASSED_OVER, is_current, latest_state, version_array

PREDICT_BATCH = 512  # rows at a time; more gains nothing on a CPU and costs memory
CALL_PIXELS = 1024 * 28 * 28  # that a call into the backend trains on: Keras's own costs come once a call, not a batch

History = list[dict[str, float]]  # one entry an epoch


class Checkpoints(Protocol):
    """Where the state of an unfinished member is kept."""

    def candidates(self) -> Iterator[bytes]:
        """Yields the saved states, that of the latest epoch first."""

    def save(self, epoch: int, state: bytes) -> None:
        """Keeps the state after `epoch` epochs."""


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
        on_progress: Told after every call into the backend, which takes a few batches.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    training, validation = _cut_validation(rows, spec)
    batches = Batches(rows, training, spec.recipe.batch_size, spec.seed)
    epochs = total_epochs(spec.recipe, len(batches))
    step = compiled_step(spec.architecture, spec.recipe, rows.image_shape, rows.num_classes, len(batches), epochs)
    step.start(spec.seed)
    saved = latest_state(checkpoints.candidates()) if checkpoints else None
    history = step.resume(saved)
    watcher = _Watcher(spec.member_id, epochs, history, batches, step, checkpoints, on_progress)
    if len(history) < epochs:
        step.network.fit(
            batches,
            epochs=epochs,
            initial_epoch=len(history),
            validation_data=Chunks(rows, validation) if len(validation) else None,
            callbacks=[*_plateau(spec.recipe, history), watcher],
            shuffle=False,  # Keras would reorder whole batches, from a state that nothing saves
            verbose=0,
        )
    step.average_weights(spec.recipe)
    passed_over = (PASSED_OVER,) if saved is not None and watcher.start_epoch == 0 else ()
    return _result(spec, rows, step.network, watcher, passed_over)


def total_epochs(recipe: Recipe, steps_per_epoch: int) -> int:
    """Returns the recipe's epochs, or as many more as its `min_steps` takes on small data."""
    return max(recipe.epochs, math.ceil(recipe.min_steps / steps_per_epoch))


class Batches(keras.utils.PyDataset):
    """Batches to train on, gathered by index, in an order drawn from (seed, epoch).

    Every batch is full: the few rows left over differ from epoch to epoch.
    """

    def __init__(self, rows: RowSource, index: np.ndarray, batch_size: int, seed: int) -> None:
        super().__init__()
        self.rows, self.index, self.seed = rows, index, seed
        self.batch_size = min(batch_size, len(index))
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        self.order = self.rows.epoch_order(self.index, self.seed, epoch)

    def __len__(self) -> int:
        return len(self.index) // self.batch_size

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return _labelled(self.rows, self.order[number * self.batch_size : (number + 1) * self.batch_size])


class Chunks(keras.utils.PyDataset):
    """Every one of some rows once, in a fixed order that a stream can follow."""

    def __init__(self, rows: RowSource, index: np.ndarray) -> None:
        super().__init__()
        self.rows, self.order = rows, rows.by_block(index)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / PREDICT_BATCH)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return _labelled(self.rows, self.order[number * PREDICT_BATCH : (number + 1) * PREDICT_BATCH])


def _labelled(rows: RowSource, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns images (rows, height, width) uint8 and one-hot labels (rows, classes) float32."""
    return rows.take(index), np.eye(rows.num_classes, dtype=np.float32)[rows.labels[index]]


def _cut_validation(rows: RowSource, spec: MemberSpec) -> tuple[np.ndarray, np.ndarray]:
    """Parts the training rows into those trained on and those that the plateau watches (perhaps none)."""
    index = rows.train_index(spec.fold)
    if spec.recipe.validation == 0:
        return index, index[:0]
    from sklearn.model_selection import train_test_split

    labels = rows.labels[index]
    rarest, watched = np.unique(labels, return_counts=True)[1].min(), int(len(index) * spec.recipe.validation)
    stratify = labels if rarest > 1 and watched >= rows.num_classes else None
    training, validation = train_test_split(
        index, test_size=spec.recipe.validation, random_state=spec.seed, stratify=stratify
    )
    return training, validation


@lru_cache(maxsize=4)
def compiled_step(
    architecture: str, recipe: Recipe, shape: tuple[int, int], num_classes: int, steps_per_epoch: int, epochs: int
) -> "CompiledNetwork":
    """Keeps a compiled training step for the next member of the same kind: tracing one takes seconds."""
    keras.config.set_dtype_policy(device.resolve_precision(recipe.precision))
    network = _training_network(architecture, recipe, shape, num_classes)
    network.compile(
        optimizer=_optimizer(recipe, steps_per_epoch, epochs),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        steps_per_execution=_batches_per_call(recipe.batch_size, shape),
        # On a CPU, XLA gains nothing in float32 and loses in bfloat16; TensorFlow's resample has no XLA kernel.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    network.optimizer.build(network.trainable_variables)
    return CompiledNetwork(network, lambda seed: _training_network(architecture, recipe, shape, num_classes, seed))


def _batches_per_call(batch_size: int, shape: tuple[int, int]) -> int:
    if device.batch_shares() > 1:
        return 1  # TensorFlow's strategies fail within Keras's loop over several (INVALID_ARGUMENT: feed a placeholder)
    return max(1, CALL_PIXELS // (batch_size * math.prod(shape)))


def _training_network(
    architecture: str, recipe: Recipe, shape: tuple[int, int], num_classes: int, seed: int = 0
) -> keras.Sequential:
    """Raw pixels (batch, height, width) uint8 in, probabilities (batch, classes) float32 out."""
    noise = recipe.augmentation
    affine = RandomAffine(noise.rotation, noise.zoom, noise.shift, seed=seed)
    body = architectures.build(architecture, *shape, num_classes)
    return keras.Sequential([keras.Input(shape, dtype="uint8"), affine, body])


def _optimizer(recipe: Recipe, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    return keras.optimizers.Adam(_learning_rate(recipe, steps_per_epoch, epochs), **average)


def _learning_rate(recipe: Recipe, steps_per_epoch: int, epochs: int) -> Any:
    schedules, peak, steps = keras.optimizers.schedules, recipe.learning_rate, steps_per_epoch * epochs
    if recipe.schedule == "one_cycle":  # Smith & Topin 2018, arXiv:1708.07120: up in the first third, down after
        warmup = max(1, steps // 3)
        return schedules.CosineDecay(peak / 25, steps - warmup, warmup_target=peak, warmup_steps=warmup)
    if recipe.schedule == "exponential":
        return schedules.ExponentialDecay(peak, steps_per_epoch, recipe.decay, staircase=True)
    return peak


class CompiledNetwork:
    """A compiled network whose whole state can be set anew, saved and restored."""

    def __init__(self, network: keras.Sequential, rebuild: Callable[[int], keras.Sequential]) -> None:
        self.network, self._rebuild = network, rebuild
        self._fresh_optimizer = [np.array(variable) for variable in network.optimizer.variables]

    def start(self, seed: int) -> None:
        """Sets first weights, random generators and optimizer as a newly built network of this seed has them."""
        keras.utils.set_random_seed(seed)
        fresh = [np.array(variable) for variable in self._rebuild(seed).variables]
        self._assign([*fresh, *self._fresh_optimizer])

    def save(self, history: History) -> bytes:
        """Returns everything that the next epoch depends on: an .npz of all variables, and the history so far."""
        file = BytesIO()
        arrays = {f"variable_{number:04d}": np.array(variable) for number, variable in enumerate(self._state())}
        arrays |= {"history": np.array(json.dumps(history)), **version_array()}
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    def resume(self, state: bytes | None) -> History:
        """Restores a saved epoch and returns the history up to it; empty where there is none of these numbers."""
        if state is None or not is_current(state):
            return []
        with np.load(BytesIO(state), allow_pickle=False) as saved:
            names = sorted(name for name in saved.files if name.startswith("variable_"))
            self._assign([saved[name] for name in names])
            return json.loads(str(saved["history"]))

    def average_weights(self, recipe: Recipe) -> None:
        """Puts the moving average in the place of the last weights, where the recipe keeps one."""
        if recipe.ema:  # fit() has done so already, but not when every epoch had been saved before
            self.network.optimizer.finalize_variable_values(self.network.trainable_variables)

    def _state(self) -> list[Any]:
        return [*self.network.variables, *self.network.optimizer.variables]

    def _assign(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self._state(), values, strict=True):
            variable.assign(value)


class _Plateau(keras.callbacks.ReduceLROnPlateau):
    """Keras's callback, brought by the earlier epochs to where an interrupted fit had left it."""

    def __init__(self, recipe: Recipe, history: History) -> None:
        super().__init__("val_accuracy", factor=recipe.decay, patience=recipe.patience, min_lr=recipe.min_learning_rate)
        self.recipe, self.before = recipe, list(history)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        self.model.optimizer.learning_rate = self.recipe.learning_rate
        for epoch, entry in enumerate(self.before):
            self.on_epoch_end(epoch, dict(entry))


def _plateau(recipe: Recipe, history: History) -> list[keras.callbacks.Callback]:
    return [_Plateau(recipe, history)] if recipe.schedule == "plateau" else []


class _Watcher(keras.callbacks.Callback):
    """Sets each epoch's order, keeps history and checkpoints, and tells how far the member is."""

    def __init__(
        self,
        member_id: int,
        epochs: int,
        history: History,
        batches: Batches,
        step: CompiledNetwork,
        checkpoints: Checkpoints | None,
        on_progress: Callable[[Progress], None],
    ) -> None:
        super().__init__()
        self.member_id, self.epochs, self.history, self.start_epoch = member_id, epochs, history, len(history)
        self.batches, self.step, self.checkpoints, self.on_progress = batches, step, checkpoints, on_progress
        self.images, self.seconds = 0, 0.0  # trained by this attempt, the first call (it compiles) left out
        self.first = True
        self.unsaved = Unsaved()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.set_epoch(epoch)
        self.epoch_started = self.call_started = time.perf_counter()
        self.batches_done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the batches of one call; `batch` is its last, or lies behind the epoch's end."""
        now, before = time.perf_counter(), self.batches_done
        self.batches_done = min(batch + 1, len(self.batches))
        if not self.first:
            self.images += (self.batches_done - before) * self.batches.batch_size
            self.seconds += now - self.call_started
        self.first, self.call_started = False, now
        self.on_progress(self._progress(logs["loss"]))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} after epoch {epoch + 1}. Lower the learning rate.")
        learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        entry = {name: float(value) for name, value in logs.items()} | {"learning_rate": learning_rate}
        self.history.append(entry | {"seconds": time.perf_counter() - self.epoch_started})
        if self.checkpoints:
            self._save(epoch + 1, self.checkpoints)

    def _save(self, epoch: int, checkpoints: Checkpoints) -> None:
        try:
            checkpoints.save(epoch, self.step.save(self.history))
        except (UserError, RunError) as error:  # a full disk or failing storage must not cost the training itself
            self.unsaved.add(epoch, error)

    @property
    def images_per_second(self) -> float | None:
        return self.images / self.seconds if self.seconds else None

    def _progress(self, loss: float) -> Progress:
        epoch = len(self.history) + self.batches_done / len(self.batches)
        left = (self.epochs - epoch) * len(self.batches) * self.batches.batch_size
        speed = self.images_per_second
        return Progress(self.member_id, epoch, self.epochs, float(loss), speed, left / speed if speed else None)


def _result(
    spec: MemberSpec, rows: RowSource, network: keras.Sequential, watcher: _Watcher, notes: tuple[str, ...]
) -> MemberResult:
    return MemberResult(
        member_id=spec.member_id,
        prediction=_predict(spec, rows, network),
        history=watcher.history,
        model_file=_model_file(network, rows, spec.recipe.label_smoothing),
        fit_seconds=sum(entry["seconds"] for entry in watcher.history),
        images_per_second=watcher.images_per_second or 0.0,
        precision=keras.config.dtype_policy().name,
        device=device.name(),
        start_epoch=watcher.start_epoch,
        notes=(*notes, *watcher.unsaved.notes()),
    )


def _predict(spec: MemberSpec, rows: RowSource, network: keras.Sequential) -> Prediction:
    held_out, test = rows.holdout_index(spec.fold), rows.test_index()
    index = np.concatenate([held_out, test])  # ascending: labelled rows come before test rows
    proba = np.zeros((len(index), rows.num_classes), np.float32)
    if len(index):
        chunks = Chunks(rows, index)
        learnt = architectures.unsmoothed(network.predict(chunks, verbose=0), spec.recipe.label_smoothing)
        proba[np.searchsorted(index, chunks.order)] = keras.ops.convert_to_numpy(learnt)
    return Prediction(
        model_id=member_name(spec.member_id),
        holdout_row_ids=rows.row_ids[held_out],
        holdout_proba=proba[: len(held_out)],
        test_row_ids=rows.row_ids[test],
        test_proba=proba[len(held_out) :],
    )


def _model_file(network: keras.Sequential, rows: RowSource, label_smoothing: float) -> bytes:
    """Returns a .keras archive of Keras's own layers only: raw uint8 images in, probabilities out."""
    shape, body = rows.image_shape, architectures.plain(network.layers[-1])
    scale = keras.layers.Rescaling(1 / 255, dtype="float32")
    whole = keras.Sequential([keras.Input(shape, dtype="uint8"), keras.layers.Reshape((*shape, 1)), scale, body])
    if label_smoothing:
        learnt = keras.Input((rows.num_classes,))
        whole.add(
            keras.Model(learnt, architectures.unsmoothed(learnt, label_smoothing), name="unsmoothed", dtype="float32")
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        whole.save(path)
        return path.read_bytes()
