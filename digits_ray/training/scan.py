"""Training in long calls on JAX: many batches in one compiled loop, over rows that lie on the device.

A training step of a small network is some hundred short kernels, and a call from Python costs as much time as they do.
So the rows go to the device once, as uint8, and one call trains on a stretch of batches, gathered there by position.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np

from digits_ray.training.batches import InferenceBatches, TrainingBatches
from digits_ray.training.device.jax import loop_compiler_options

# Images of 28×28 pixels that a call trains on at most: a quarter of a second for the preset `fast` on an H100, some
# seconds on the slowest GPUs.
CALL_PIXELS = 65_536 * 28 * 28
UNROLL = 1  # batches in each turn of the compiled loop


@dataclass(frozen=True)
class DeviceRows:
    """The rows that a member trains on, on its device."""

    images: jax.Array  # (training rows, height, width[, 3]) uint8
    labels: jax.Array  # (training rows,) int32
    row_of: np.ndarray  # (all rows,) int32 row in `images` by position; undefined for rows that are not trained on

    @classmethod
    def of(cls, batches: TrainingBatches) -> "DeviceRows":
        """Copies the images and labels to the device."""
        rows, index = batches.rows, batches.index
        row_of = np.zeros(len(rows.labels), np.int32)
        row_of[index] = np.arange(len(index))
        return cls(jax.device_put(rows.images_at(index)), jax.device_put(rows.labels[index]), row_of)


class ScanTrainer:
    """Trains a compiled network as its `fit` does: the same steps on the same batches, a stretch of them in a call."""

    def __init__(self, network: keras.Sequential, num_classes: int) -> None:
        """Takes a compiled network whose optimizer is built."""
        self.network, self.num_classes = network, num_classes
        self._programs: dict[tuple[tuple[int, ...], ...], Any] = {}  # by the shapes of images and order
        self._build_metrics()

    def fit(
        self,
        batches: TrainingBatches,
        validation: InferenceBatches | None,
        first_epoch: int,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Trains the epochs from `first_epoch`, counted from 0, up to `epochs`."""
        network, rows = self.network, DeviceRows.of(batches)
        callback_list = keras.callbacks.CallbackList(
            callbacks, model=network, epochs=epochs, steps=len(batches), verbose=0
        )
        callback_list.on_train_begin()
        for epoch in range(first_epoch, epochs):
            network.reset_metrics()
            callback_list.on_epoch_begin(epoch)
            for stretch in _stretches(batches):
                self._train(rows, stretch, batches)
                callback_list.on_train_batch_end(stretch.stop - 1, network.get_metrics_result())
            logs = keras.tree.map_structure(float, network.get_metrics_result())
            if validation:
                results = network.evaluate(validation, verbose=0, return_dict=True)
                logs |= {f"val_{name}": value for name, value in results.items()}
            callback_list.on_epoch_end(epoch, logs)
        network.optimizer.finalize_variable_values(network.trainable_variables)
        callback_list.on_train_end()

    def _train(self, rows: DeviceRows, stretch: slice, batches: TrainingBatches) -> None:
        """Trains on the batches of a stretch. The state is read from Keras's variables and written back to them.

        Callbacks may read and set it between two calls: a plateau sets the learning rate.
        """
        size = batches.batch_size
        positions = batches.order[stretch.start * size : stretch.stop * size]
        order = rows.row_of[positions].reshape(-1, size)
        state = [[variable.value for variable in variables] for variables in self._variables()]
        arguments = (state, rows.images, rows.labels, order)
        trained = self._program(*arguments)(*arguments)
        for variables, values in zip(self._variables(), trained, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _program(self, state: list[list[Any]], images: Any, labels: Any, order: Any) -> Any:
        """Returns the loop, compiled for arguments of these shapes."""
        shapes = (images.shape, order.shape)
        if shapes not in self._programs:
            lowered = jax.jit(self._train_stretch).lower(state, images, labels, order)
            self._programs[shapes] = lowered.compile(compiler_options=loop_compiler_options())
        return self._programs[shapes]

    def _train_stretch(self, state: list[list[Any]], images: Any, labels: Any, order: Any) -> list[list[Any]]:
        """The compiled loop; `order` is (batches, batch size) int32, rows in `images` and `labels`."""

        def train_batch(state: list[list[Any]], rows: Any) -> tuple[list[list[Any]], None]:
            one_hot = jax.nn.one_hot(labels[rows], self.num_classes, dtype="float32")
            _, trained = self.network.train_step(state, (images[rows], one_hot))
            return jax.tree.map(lambda new, old: new.astype(old.dtype), list(map(list, trained)), state), None

        return jax.lax.scan(train_batch, state, order, unroll=UNROLL)[0]

    def _variables(self) -> list[list[keras.Variable]]:
        """Returns the state in the order that Keras's `train_step` has on JAX."""
        network = self.network
        return [
            network.trainable_variables,
            network.non_trainable_variables,  # those of the random generators among them
            network.optimizer.variables,
            network.metrics_variables,
        ]

    def _build_metrics(self) -> None:
        """Creates the metrics' variables, which Keras does at the first batch; none can be created while tracing."""
        labels = np.eye(self.num_classes, dtype=np.float32)
        self.network.compute_metrics(None, labels, labels)
        self.network.reset_metrics()


def _stretches(batches: TrainingBatches) -> Iterator[slice]:
    """Yields the batches of one epoch, a call's worth at a time, in calls of equal length but for the last."""
    batches_per_call = max(1, CALL_PIXELS // (batches.batch_size * math.prod(batches.rows.image_shape)))
    calls = -(-len(batches) // batches_per_call)
    length = -(-len(batches) // calls)
    for start in range(0, len(batches), length):
        yield slice(start, min(start + length, len(batches)))
