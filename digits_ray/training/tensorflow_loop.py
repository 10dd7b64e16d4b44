"""The loop on TensorFlow: one in a graph, round Keras's own training step, which reads and sets its variables there."""

import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from digits_ray.training.device_loop import DeviceLoop, DeviceRows

CALL_SECONDS = 1.0  # that a call takes, as far as the least and the most allow it
LEAST_CALL_PIXELS, MOST_CALL_PIXELS = 1_024 * 28 * 28, 65_536 * 28 * 28


class TensorFlowLoop(DeviceLoop):
    """Trains in long calls on TensorFlow."""

    def __init__(self, network: keras.Sequential, num_classes: int) -> None:
        super().__init__(network, num_classes)
        self._pixels_per_second = 0.0  # of the last call

    @property
    def call_pixels(self) -> int:
        """By the speed of the last call: their length changes no number."""
        return int(np.clip(CALL_SECONDS * self._pixels_per_second, LEAST_CALL_PIXELS, MOST_CALL_PIXELS))

    def to_device(self, array: np.ndarray) -> tf.Tensor:
        """Copies an array (rows, …) to the device."""
        return tf.constant(array)

    def train(self, rows: DeviceRows, order: np.ndarray) -> None:
        """Trains on `order` (batches, batch size) int32."""
        started = time.perf_counter()
        train_stretch = self._train_on_soft_labels if rows.labels.dtype.is_floating else self._train_on_labels
        train_stretch(rows.images, rows.labels, tf.constant(order))
        pixels = order.size * math.prod(self.network.input_shape[1:])
        self._pixels_per_second = pixels / (time.perf_counter() - started)

    @cached_property
    def _train_on_labels(self) -> Any:
        return self._traced(tf.TensorSpec((None,), tf.int32), lambda labels: tf.one_hot(labels, self.num_classes))

    @cached_property
    def _train_on_soft_labels(self) -> Any:
        return self._traced(tf.TensorSpec((None, self.num_classes), tf.float32), lambda labels: labels)

    def _traced(self, labels_spec: tf.TensorSpec, to_targets: Callable[[tf.Tensor], tf.Tensor]) -> Any:
        """Returns the loop, traced once for all members that have labels of this kind."""
        images_shape = (None, *self.network.input_shape[1:])

        def train_stretch(images: tf.Tensor, labels: tf.Tensor, order: tf.Tensor) -> None:
            for batch in tf.range(tf.shape(order)[0]):
                rows = order[batch]
                targets = to_targets(tf.gather(labels, rows))
                self.network.train_step((tf.gather(images, rows), targets))

        return tf.function(
            train_stretch,
            input_signature=[
                tf.TensorSpec(images_shape, tf.uint8),
                labels_spec,
                tf.TensorSpec((None, None), tf.int32),
            ],
        )
