"""Whether this process computes a network rightly in a low precision: checked once for each kind of network.

A backend may compile a whole network wrongly at some batch sizes while each of its layers alone is right: jaxlib 0.11.2
gave the same probabilities for every one of 512 rows on a CPU with AVX512_BF16, and was right at 384. So what is
checked is the member's own network, compiled and called as it is used.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import keras
import numpy as np

from digits_ray.config import Recipe
from digits_ray.training import compiled, device
from digits_ray.training.architectures import remove_label_smoothing
from digits_ray.training.batches import PREDICT_BATCH, PredictionBatches
from digits_ray.training.compiled import CompiledNetwork
from digits_ray.training.model_file import float32

TOLERANCE = 2e-2  # of ‖a−b‖/‖b‖; rounding to bfloat16 alone makes 0.1 to 0.3 % (three networks, two backends)
LOSS_TOLERANCE = 0.1  # of the loss of one batch in training, where both draw the same dropout masks: 0.1 % measured


class PrecisionError(RuntimeError):
    """The backend computes other numbers in the precision that was asked for than in float32."""


@dataclass(frozen=True, eq=False)
class NetworkKind:
    """The arguments of `compiled_step`. Two are equal where a batch is the same arithmetic, however many follow."""

    architecture: str
    recipe: Recipe
    shape: tuple[int, ...]  # height and width in pixels; 3 more where in colour
    num_classes: int
    steps_per_epoch: int
    epochs: int
    stacked: bool = False  # to train several members as one program

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkKind) and self._arithmetic() == other._arithmetic()

    def __hash__(self) -> int:
        return hash(self._arithmetic())

    def _arithmetic(self) -> tuple[object, ...]:
        recipe = self.recipe
        batch = (self.shape, self.num_classes, recipe.batch_size, recipe.precision, recipe.augmentation)
        return self.architecture, self.stacked, *batch

    def step(self) -> CompiledNetwork:
        """Returns its compiled training step, the same each time."""
        return compiled.compiled_step(
            self.architecture,
            self.recipe,
            self.shape,
            self.num_classes,
            self.steps_per_epoch,
            self.epochs,
            self.stacked,
        )


@dataclass(frozen=True, eq=False)
class CheckBatch:
    """One batch of random images and labels."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8
    labels: np.ndarray  # (rows, classes) float32, one-hot

    @classmethod
    def of(cls, kind: NetworkKind, rows: int) -> "CheckBatch":
        """Draws a batch, the same each time."""
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (rows, *kind.shape), dtype=np.uint8)
        labels = random.integers(0, kind.num_classes, rows)
        return cls(images, np.eye(kind.num_classes, dtype=np.float32)[labels])


def checked_step(kind: NetworkKind) -> tuple[CompiledNetwork, tuple[str, ...]]:
    """Returns a compiled training step whose numbers are right, and a note where it is not in the precision wanted.

    Raises:
        PrecisionError: they are wrong, and the recipe asks for just this precision.
    """
    policy = device.resolve_precision(kind.recipe.precision)
    notes: tuple[str, ...] = ()
    disagreement = precision_disagreement(kind) if policy != "float32" and device.num_replicas() == 1 else ""
    if disagreement and kind.recipe.precision != "auto":
        raise PrecisionError(
            f"bfloat16 is not computed rightly here: {disagreement}. Set precision to auto or float32."
        )
    if disagreement:
        kind, policy = replace(kind, recipe=replace(kind.recipe, precision="float32")), "float32"
        notes = (f"trained in float32, for bfloat16 is not computed rightly here: {disagreement}",)
    step = kind.step()
    keras.config.set_dtype_policy(policy)  # of whatever is built from now on
    return step, notes


@lru_cache(maxsize=16)
def precision_disagreement(kind: NetworkKind) -> str:
    """Returns in what way a kind of network differs from itself in float32; "" where it does not.

    One prediction at the batch size of predictions, and one training call at the recipe's. It changes the step's
    variables, which every member sets at its start.
    """
    network = kind.step().network
    difference = _prediction_difference(kind, CheckBatch.of(kind, PREDICT_BATCH))
    if not difference < TOLERANCE:
        return f"predictions of {PREDICT_BATCH} rows are {_in_words(difference)}"
    if keras.backend.backend() == "jax" and device.trains_in_long_calls(0):
        return ""  # another program, which takes long to compile; the loss of each epoch is watched there
    batch = CheckBatch.of(kind, min(kind.recipe.batch_size, PREDICT_BATCH))
    expected = _float32_loss(network, kind, batch) if _draws_the_same_masks() else None
    loss = kind.step().one_batch_loss(batch.images, batch.labels)
    difference = abs(loss - expected) / abs(expected) if expected is not None else 0.0 * loss
    if not difference < LOSS_TOLERANCE:
        return f"the loss of {len(batch.images)} rows is {_in_words(difference)}"
    finite = all(np.isfinite(keras.ops.convert_to_numpy(weights)).all() for weights in network.trainable_variables)
    return "" if finite else f"weights are not finite after one batch of {len(batch.images)} rows"


def _prediction_difference(kind: NetworkKind, batch: CheckBatch) -> float:
    """Compares a network with the model of a trained member, which is in float32: its program is needed anyway."""
    step, rows = kind.step(), np.arange(len(batch.images))
    smoothed = step.network.predict(batch.images, batch_size=PREDICT_BATCH, verbose=0)
    proba = keras.ops.convert_to_numpy(remove_label_smoothing(smoothed, kind.recipe.label_smoothing))
    batches = PredictionBatches(lambda positions: batch.images[positions], rows, on_batch=lambda: None)
    return _relative(proba, batches.predicted_by(step.trained_model()))


def _float32_loss(network: keras.Model, kind: NetworkKind, batch: CheckBatch) -> float:
    """Returns the loss of a batch as training computes it, augmented and with dropout, in float32."""
    with float32():
        twin = compiled._training_network(kind.architecture, kind.recipe, kind.shape, kind.num_classes)
    for variable, original in zip(twin.variables, network.variables, strict=True):
        variable.assign(np.array(original))  # a copy: on JAX, training gives the original's memory away
    in_training = _InTraining(twin)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=kind.recipe.label_smoothing)
    in_training.compile(loss=loss, jit_compile="auto" if keras.backend.backend() == "jax" else False)
    return float(in_training.test_on_batch(batch.images, batch.labels))


class _InTraining(keras.Model):
    """A network that behaves as in training, wherever it is called."""

    def __init__(self, network: keras.Sequential) -> None:
        super().__init__(dtype="float32", name="in_training")
        self.network = network

    def call(self, images: object) -> object:
        return self.network(images, training=True)


def _draws_the_same_masks() -> bool:
    """Returns whether dropout is alike in every precision; on TensorFlow a batch's loss is up to 70 % off for it."""
    return keras.backend.backend() == "jax"


def _relative(values: np.ndarray, expected: np.ndarray) -> float:
    """Returns ‖a−b‖/‖b‖; NaN where a value is not finite."""
    return float(np.linalg.norm(np.asarray(values, np.float64) - expected) / np.linalg.norm(expected))


def _in_words(difference: float) -> str:
    return f"{100 * difference:.0f} % off float32" if np.isfinite(difference) else "not finite"
