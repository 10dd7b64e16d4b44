"""A member's network with its compiled training step, and the state that a member starts from, saves and restores."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, lru_cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from digits_ray.config import Recipe
from digits_ray.data import Rows, channels_of
from digits_ray.training import architectures, device
from digits_ray.training.augmentation import RandomAffine
from digits_ray.training.batches import InferenceBatches, TrainingBatches
from digits_ray.training.checkpoints import History
from digits_ray.training.keras_internals import all_sublayers
from digits_ray.training.model_file import plain_model
from digits_ray.training.numbers_version import is_current, version_array

if TYPE_CHECKING:
    from digits_ray.training.device_loop import DeviceLoop
    from digits_ray.training.stack_loop import StackLoop

# What may be left of the start of a moving average when training ends; a short training gets lower momentums for it.
WEIGHTS_START = math.exp(-5)  # that of `ema`; so 0.999 stays from 5,000 steps on
STATISTICS_START = math.exp(-10)  # of batch normalisation, whose variances start at 1 and may be a thousandth of it
CALL_PIXELS = 1024 * 28 * 28  # that a call into the backend trains on: Keras's own costs come once a call, not a batch


class CompiledNetwork:
    """A compiled network whose state can be set to a member's start, saved and restored."""

    def __init__(
        self, network: keras.Sequential, rebuild: Callable[[int], keras.Sequential], label_smoothing: float
    ) -> None:
        """Takes the network, its optimizer built, a way to build it anew from a seed, and its recipe's smoothing."""
        self.network, self._rebuild, self._label_smoothing = network, rebuild, label_smoothing
        self._optimizer_at_start = [np.array(variable) for variable in network.optimizer.variables]

    @property
    def num_classes(self) -> int:
        return self.network.output_shape[-1]

    def start(self, seed: int) -> None:
        """Sets first weights, random generators and optimizer as a newly built network of this seed has them."""
        keras.utils.set_random_seed(seed)
        network_at_start = [np.array(variable) for variable in self._rebuild(seed).variables]
        self._assign([*network_at_start, *self._optimizer_at_start])

    def snapshot(self, history: History) -> Callable[[], bytes]:
        """Copies everything that the next epoch depends on: all variables, and the history so far.

        Returns:
            A function that returns the copies as an .npz.
        """
        return partial(_archive, device.host_copies(self._state()), list(history))

    def resume(self, state: bytes | None) -> History:
        """Restores a saved epoch and returns the history up to it; empty where there is none of these numbers."""
        if state is None or not is_current(state, keras.backend.backend()):
            return []
        with np.load(BytesIO(state), allow_pickle=False) as saved:
            names = sorted(name for name in saved.files if name.startswith("variable_"))
            self._assign([saved[name] for name in names])
            return json.loads(str(saved["history"]))

    def train(
        self,
        batches: TrainingBatches,
        validation: InferenceBatches | None,
        first_epoch: int,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Trains the epochs from `first_epoch`, counted from 0, up to `epochs`.

        In long calls where the device gains by them and holds the rows; elsewhere by Keras's `fit`.
        """
        if isinstance(batches.rows, Rows) and device.trains_in_long_calls(batches.image_bytes):
            self._device_loop.fit(batches, validation, first_epoch, epochs, callbacks)
            return
        self.network.fit(
            batches,
            epochs=epochs,
            initial_epoch=first_epoch,
            validation_data=validation,
            callbacks=callbacks,
            shuffle=False,  # Keras would reorder whole batches, from a state that nothing saves
            verbose=0,
        )

    def one_batch_loss(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Trains on one batch by the program that `train` uses, and returns its loss.

        Args:
            images: (batch, height, width[, 3]) uint8.
            labels: (batch, classes) float32, one-hot.
        """
        self.network.reset_metrics()
        if device.trains_in_long_calls(images.nbytes):
            self._device_loop.train_batch(images, labels)
        else:
            self.network.fit(images, labels, batch_size=len(images), shuffle=False, verbose=0)
        return float(self.network.get_metrics_result()["loss"])

    @cached_property
    def _device_loop(self) -> "DeviceLoop":
        if keras.backend.backend() == "jax":
            from digits_ray.training.jax_loop import JaxLoop

            return JaxLoop(self.network, self.num_classes)
        from digits_ray.training.tensorflow_loop import TensorFlowLoop

        return TensorFlowLoop(self.network, self.num_classes)

    @cached_property
    def stack_loop(self) -> "StackLoop":
        """Trains several members of this kind at once, on JAX."""
        from digits_ray.training.stack_loop import StackLoop

        return StackLoop(self.network, self.num_classes)

    def average_weights(self, recipe: Recipe) -> None:
        """Replaces the last weights by their moving average, where the recipe wants one."""
        if recipe.ema:  # Keras has done so already, but not when every epoch had been saved before
            self.network.optimizer.finalize_variable_values(self.network.trainable_variables)

    def trained_model(self) -> keras.Sequential:
        """Returns the model that predicts for the member and is saved; the next member changes its weights."""
        body = self.network.layers[-1]
        self._plain_model.get_layer(body.name).set_weights(body.get_weights())
        return self._plain_model

    @cached_property
    def _plain_model(self) -> keras.Sequential:
        model = plain_model(self.network.layers[-1], self._label_smoothing)
        model.jit_compile = self.network.jit_compile
        return model

    def _state(self) -> list[Any]:
        return [*self.network.variables, *self.network.optimizer.variables]

    def _assign(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self._state(), values, strict=True):
            variable.assign(value)


def _archive(variables: list[np.ndarray], history: History) -> bytes:
    file = BytesIO()
    arrays = {f"variable_{number:04d}": values for number, values in enumerate(variables)}
    arrays |= {"history": np.array(json.dumps(history)), **version_array(keras.backend.backend())}
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


@lru_cache(maxsize=4)
def compiled_step(
    architecture: str,
    recipe: Recipe,
    shape: tuple[int, ...],
    num_classes: int,
    steps_per_epoch: int,
    epochs: int,
    stacked: bool = False,
) -> CompiledNetwork:
    """Returns a compiled training step, the same for all members of a kind: tracing one takes seconds.

    Args:
        architecture: A name that `config.ARCHITECTURES` has.
        recipe: How it is trained.
        shape: Of an image: height and width, in pixels, and channels where it is in colour.
        num_classes: Number of classes.
        steps_per_epoch: Batches in an epoch.
        epochs: In all; with `steps_per_epoch`, the length of the learning rate's schedule.
        stacked: Whether it is to train several members as one program, on JAX.
    """
    keras.config.set_dtype_policy(device.resolve_precision(recipe.precision))
    network = _training_network(architecture, recipe, shape, num_classes, stacked=stacked)
    _shorten_averages(network, steps_per_epoch * epochs)
    network.compile(
        optimizer=_optimizer(recipe, steps_per_epoch, epochs),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        steps_per_execution=_batches_per_call(recipe.batch_size, shape),
        # On a CPU, XLA gains nothing in float32 and loses in bfloat16; TensorFlow's resample has no XLA kernel.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    network.optimizer.build(network.trainable_variables)
    return CompiledNetwork(
        network,
        lambda seed: _training_network(architecture, recipe, shape, num_classes, seed),
        recipe.label_smoothing,
    )


def _batches_per_call(batch_size: int, shape: tuple[int, ...]) -> int:
    if device.num_replicas() > 1:
        return 1  # TensorFlow's strategies fail within Keras's loop over several (INVALID_ARGUMENT: feed a placeholder)
    return max(1, CALL_PIXELS // (batch_size * math.prod(shape)))


def _training_network(
    architecture: str, recipe: Recipe, shape: tuple[int, ...], num_classes: int, seed: int = 0, stacked: bool = False
) -> keras.Sequential:
    """Raw pixels (batch, *shape) uint8 in, probabilities (batch, classes) float32 out."""
    affine = RandomAffine(**asdict(recipe.augmentation), seed=seed)
    height, width = shape[:2]
    body = architectures.build(architecture, height, width, num_classes, channels_of(shape))
    if stacked:
        from digits_ray.training.stacked_convolution import for_stack  # JAX

        body = for_stack(body)
    return keras.Sequential([keras.Input(shape, dtype="uint8"), affine, body])


def _shorten_averages(network: keras.Model, steps: int) -> None:
    """Lowers the momentum of batch normalisation where a training of so many steps is too short for it."""
    for layer in all_sublayers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _momentum_leaving(STATISTICS_START, steps))


def _momentum_leaving(part: float, steps: int) -> float:
    """Returns the momentum of a moving average in which, after so many steps, this part of its start is left."""
    return part ** (1 / steps)


def _optimizer(recipe: Recipe, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    momentum = min(recipe.ema, _momentum_leaving(WEIGHTS_START, steps_per_epoch * epochs))
    average = {"use_ema": True, "ema_momentum": momentum} if recipe.ema else {}
    return keras.optimizers.Adam(_learning_rate(recipe, steps_per_epoch, epochs), **average)


def _learning_rate(recipe: Recipe, steps_per_epoch: int, epochs: int) -> Any:
    schedules, peak, steps = keras.optimizers.schedules, recipe.learning_rate, steps_per_epoch * epochs
    if recipe.schedule == "one_cycle":  # Smith & Topin 2018, arXiv:1708.07120: up in the first third, down after
        warmup = max(1, steps // 3)
        return schedules.CosineDecay(peak / 25, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup)
    if recipe.schedule == "exponential":
        return schedules.ExponentialDecay(peak, steps_per_epoch, recipe.decay, staircase=True)
    return peak
