"""A small network in numpy that keeps `fit_member`'s contract, for tests of processes: nothing imports TensorFlow.

One layer and softmax, trained by plain gradient descent. Its weights, and so its predictions, depend on the seed, the
fold and every epoch; a member resumed from a saved epoch ends bit for bit as if it had not been interrupted.
"""

import json
import math
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from digits_ray.config import ARCHITECTURES, MemberSpec
from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult, Prediction, member_name
from digits_ray.errors import RunError, UserError
from digits_ray.progress import Progress, UnsavedEpochs

EPOCH_SECONDS = 0.1  # about as long as a small network's: there is time to interrupt one
LARGEST_RATE = 1e3  # above, the loss is said to be no number

OnProgress = Callable[[Progress], None]


def prepare_fit(resources: Any) -> Callable[..., MemberResult]:
    """What an actor calls once; there is no device to prepare."""
    return fit


def prepare_slow_fit(resources: Any) -> Callable[..., MemberResult]:
    """The same, with a second for each epoch: there is time for cables to be pulled and plugged again."""
    global EPOCH_SECONDS
    EPOCH_SECONDS = 1.0
    return fit


def prepare_instant_fit(resources: Any) -> Callable[..., MemberResult]:
    """The same, without waiting."""
    global EPOCH_SECONDS
    EPOCH_SECONDS = 0.0
    return fit


def prepare_mixed_fit(resources: Any) -> Callable[..., MemberResult]:
    """Trains a real network where a member's architecture is `compact`, the one in numpy for all others."""
    real: list[Callable[..., MemberResult]] = []  # once a member needs it

    def fit_either(spec: MemberSpec, *given: Any) -> MemberResult:
        if spec.architecture != "compact":
            return fit(spec, *given)
        if not real:
            from digits_ray.training.process import prepare_fit as prepare_real_fit

            real.append(prepare_real_fit(resources))
        return real[0](spec, *given)

    return fit_either


def fit(spec: MemberSpec, rows: RowSource, checkpoints: Any = None, on_progress: OnProgress = print) -> MemberResult:
    """Trains and predicts; takes and raises what `fit_member` does."""
    if spec.architecture not in ARCHITECTURES:
        raise KeyError(spec.architecture)
    index = rows.train_index(spec.fold)
    steps = max(1, len(index) // spec.recipe.batch_size)
    epochs = max(spec.recipe.epochs, math.ceil(spec.recipe.min_steps / steps))
    weights, history = resumed(checkpoints) or (first_weights(spec.seed, rows), [])
    start_epoch, unsaved = len(history), UnsavedEpochs()
    for epoch in range(start_epoch, epochs):
        weights, loss = one_epoch(spec, rows, rows.epoch_order(index, spec.seed, epoch), weights, steps)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} after epoch {epoch + 1}. Lower the learning rate.")
        history.append({"loss": loss, "learning_rate": spec.recipe.learning_rate, "seconds": EPOCH_SECONDS})
        if checkpoints:
            save(checkpoints, weights, history, unsaved)
        on_progress(Progress(spec.member_id, float(epoch + 1), epochs, loss, 1000.0, EPOCH_SECONDS))
    return MemberResult(
        member_id=spec.member_id,
        prediction=predict(spec, rows, weights),
        history=history,
        model_file=state_bytes(weights, history),
        fit_seconds=EPOCH_SECONDS * len(history),
        images_per_second=1000.0,
        precision="float32",
        device="cpu",
        start_epoch=start_epoch,
        notes=unsaved.notes(),
    )


def first_weights(seed: int, rows: RowSource) -> np.ndarray:
    """(pixels, classes) float64."""
    return np.random.default_rng(seed).normal(0, 0.01, (math.prod(rows.image_shape), rows.num_classes))


def one_epoch(
    spec: MemberSpec, rows: RowSource, order: np.ndarray, weights: np.ndarray, steps: int
) -> tuple[np.ndarray, float]:
    """Weights and mean loss after one step for each batch of `order`."""
    losses = []
    for batch in np.array_split(order, steps):
        pixels, truth = flat(rows, batch), rows.targets(batch)
        proba = softmax(pixels @ weights)
        losses.append(-(truth * np.log(np.maximum(proba, 1e-9))).sum(axis=1).mean())
        weights = weights - spec.recipe.learning_rate * pixels.T @ (proba - truth)
    time.sleep(EPOCH_SECONDS)
    return weights, math.nan if spec.recipe.learning_rate > LARGEST_RATE else float(np.mean(losses))


def predict(spec: MemberSpec, rows: RowSource, weights: np.ndarray) -> Prediction:
    held_out, test = rows.holdout_index(spec.fold), rows.test_index()
    index = np.concatenate([held_out, test])
    order = rows.sorted_by_block(index)  # as a stream can follow
    proba = np.zeros((len(index), rows.num_classes), np.float32)
    if len(index):
        proba[np.searchsorted(index, order)] = softmax(flat(rows, order) @ weights)
    name, ids = member_name(spec.member_id), rows.row_ids
    return Prediction(name, ids[held_out], proba[: len(held_out)], ids[test], proba[len(held_out) :])


def flat(rows: RowSource, positions: np.ndarray) -> np.ndarray:
    """(positions, pixels) float64, 0 to 1."""
    return rows.images_at(positions).reshape(len(positions), -1) / 255.0


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def state_bytes(weights: np.ndarray, history: list[dict[str, float]]) -> bytes:
    file = BytesIO()
    np.savez(file, allow_pickle=False, weights=weights, history=np.array(json.dumps(history)))
    return file.getvalue()


def resumed(checkpoints: Any) -> tuple[np.ndarray, list[dict[str, float]]] | None:
    """Weights and history of the last saved epoch, where there is one."""
    state = next(checkpoints.candidates(), None) if checkpoints else None
    if state is None:
        return None
    with np.load(BytesIO(state), allow_pickle=False) as saved:
        return saved["weights"], json.loads(str(saved["history"]))


def save(checkpoints: Any, weights: np.ndarray, history: list[dict[str, float]], unsaved: UnsavedEpochs) -> None:
    """Saves an epoch; storage that fails does not cost the training."""
    try:
        checkpoints.save(len(history), state_bytes(weights, history))
    except (UserError, RunError) as error:
        unsaved.add(len(history), error)


def prepare_without_library(resources: Any) -> Callable[..., MemberResult]:
    """Fails as where a library of TensorFlow's is missing."""
    raise ImportError("libmissing.so.2: cannot open shared object file")


def prepare_slowly(resources: Any) -> Callable[..., MemberResult]:
    """Takes its time, as claiming a device may: longer than a test's limit, unless the process is frozen first."""
    time.sleep(2)
    return fit


def prepare_hanging_fit(resources: Any) -> Callable[..., MemberResult]:
    """The first attempt at a member hangs in its second call, while the process answers."""
    return _hanging_fit


def _hanging_fit(spec: MemberSpec, rows: RowSource, checkpoints: Any, on_progress: OnProgress) -> MemberResult:
    def hang_once(progress: Progress) -> None:
        on_progress(progress)
        if progress.epoch >= 2 and next(checkpoints.candidates(), None) is None:  # a resumed fit goes on
            time.sleep(600)

    return fit(spec, rows, checkpoints, hang_once)
