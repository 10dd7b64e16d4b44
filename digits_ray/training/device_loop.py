"""Training in long calls: many batches in one compiled loop, over rows that lie on the device.

A training step of a small network takes as long as a call from Python. So the rows go to the device once, as uint8, and
one call trains on a stretch of batches, gathered there by position.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from digits_ray.training.batches import InferenceBatches, TrainingBatches


@dataclass(frozen=True)
class DeviceRows:
    """The rows that a member trains on, on its device."""

    images: Any  # tensor (training rows, height, width) uint8
    labels: Any  # tensor (training rows,) int32; or of soft labels, (training rows, classes) float32
    row_of: np.ndarray  # (all rows,) int32 row in `images` by position; undefined for rows that are not trained on


class DeviceLoop(ABC):
    """Trains a compiled network as its `fit` does: the same steps on the same batches, a stretch of them in a call."""

    def __init__(self, network: keras.Sequential, num_classes: int) -> None:
        """Takes a compiled network whose optimizer is built."""
        self.network, self.num_classes = network, num_classes
        self._build_metrics()

    @property
    @abstractmethod
    def call_pixels(self) -> int:
        """Pixels of the images that a call trains on at most."""

    @abstractmethod
    def to_device(self, array: np.ndarray) -> Any:
        """Copies an array (rows, …) to the device."""

    @abstractmethod
    def train(self, rows: DeviceRows, order: np.ndarray) -> None:
        """Trains on batches, in one call. The state is in Keras's variables before and after it.

        Callbacks may read and set it between two calls: a plateau sets the learning rate.

        Args:
            rows: What is trained on.
            order: (batches, batch size) int32, rows of it.
        """

    def fit(
        self,
        batches: TrainingBatches,
        validation: InferenceBatches | None,
        first_epoch: int,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Trains the epochs from `first_epoch`, counted from 0, up to `epochs`."""
        network, rows = self.network, self.rows_of(batches)
        callback_list = keras.callbacks.CallbackList(
            callbacks, model=network, epochs=epochs, steps=len(batches), verbose=0
        )
        callback_list.on_train_begin()
        for epoch in range(first_epoch, epochs):
            network.reset_metrics()
            callback_list.on_epoch_begin(epoch)
            for stretch in self._stretches(batches):
                self.train(rows, _order(rows, batches, stretch))
                callback_list.on_train_batch_end(stretch.stop - 1, network.get_metrics_result())
            logs = keras.tree.map_structure(float, network.get_metrics_result())
            if validation:
                results = network.evaluate(validation, verbose=0, return_dict=True)
                logs |= {f"val_{name}": value for name, value in results.items()}
            callback_list.on_epoch_end(epoch, logs)
        network.optimizer.finalize_variable_values(network.trainable_variables)
        callback_list.on_train_end()

    def train_batch(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Trains on one batch.

        Args:
            images: (batch, height, width[, 3]) uint8.
            labels: (batch, classes) float32, one-hot.
        """
        order = np.arange(len(images), dtype=np.int32)
        on_device = self.to_device(images), self.to_device(labels.argmax(axis=1).astype(np.int32))
        self.train(DeviceRows(*on_device, row_of=order), order[None])

    def rows_of(self, batches: TrainingBatches) -> DeviceRows:
        """Copies the images and labels that are trained on to the device."""
        rows, index = batches.rows, batches.index
        row_of = np.zeros(len(rows.labels), np.int32)
        row_of[index] = np.arange(len(index))
        labels = rows.labels if rows.soft_labels is None else rows.soft_labels
        return DeviceRows(self.to_device(rows.images_at(index)), self.to_device(labels[index]), row_of)

    def _stretches(self, batches: TrainingBatches) -> Iterator[slice]:
        """Yields the batches of one epoch, a call's worth at a time, in calls of equal length but for the last."""
        batches_per_call = max(1, self.call_pixels // (batches.batch_size * math.prod(batches.rows.image_shape)))
        calls = -(-len(batches) // batches_per_call)
        length = -(-len(batches) // calls)
        for start in range(0, len(batches), length):
            yield slice(start, min(start + length, len(batches)))

    def _build_metrics(self) -> None:
        """Creates the metrics' variables, which Keras does at the first batch; none can be created while tracing."""
        labels = np.eye(self.num_classes, dtype=np.float32)
        self.network.compute_metrics(None, labels, labels)
        self.network.reset_metrics()


def _order(rows: DeviceRows, batches: TrainingBatches, stretch: slice) -> np.ndarray:
    """Returns the rows of some batches: (batches, batch size) int32."""
    size = batches.batch_size
    positions = batches.order[stretch.start * size : stretch.stop * size]
    return rows.row_of[positions].reshape(-1, size)
