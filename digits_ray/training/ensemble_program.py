"""All members of an ensemble as one compiled program: raw images in, the probabilities of every member out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

# Pixels of a batch. On CPUs, 64, 128 and 256 images of 28×28 are equally fast within 5 % (docs/benchmarks.md); that of
# GPUs was not measured.
CPU_BATCH_PIXELS, GPU_BATCH_PIXELS = 128 * 28 * 28, 1024 * 28 * 28

OnRows = Callable[[int], None]  # called with the number of rows that are predicted so far


def ignore_rows(rows: int) -> None:
    """Does nothing."""


class EnsembleProgram(ABC):
    """Networks on one backend, which see each batch in the same call.

    All batches of a call have the same length, a power of 2 up to `batch_rows`, the last one padded: on JAX a length is
    compiled once.
    """

    def __init__(self, models: Sequence[keras.Model], batch_rows: int | None = None) -> None:
        """Takes the networks and the greatest batch.

        Args:
            models: Each takes raw uint8 images of the same shape and gives probabilities of the same classes.
            batch_rows: A power of 2; by default what is fastest on this device.
        """
        self.models = list(models)
        self.batch_rows = batch_rows or self._best_batch_rows()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of an image: height and width in pixels, and channels where it is in colour."""
        return tuple(self.models[0].input_shape[1:])

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return int(self.models[0].output_shape[-1])

    @property
    @abstractmethod
    def on_cpu(self) -> bool:
        """Whether the program runs on CPUs alone."""

    @abstractmethod
    def run(self, images: np.ndarray) -> np.ndarray:
        """Runs the compiled program once.

        Args:
            images: (batch, height, width[, 3]) uint8.

        Returns:
            (members, batch, classes) float32.
        """

    def member_proba(self, images: np.ndarray) -> np.ndarray:
        """Returns the probabilities of each member.

        Args:
            images: (rows, height, width[, 3]) uint8.

        Returns:
            (members, rows, classes) float32.
        """
        batches = [proba for _, proba in self._batches(images)]
        return np.concatenate([np.empty((len(self.models), 0, self.num_classes), np.float32), *batches], axis=1)

    def mean_proba(self, images: np.ndarray, on_rows: OnRows = ignore_rows) -> np.ndarray:
        """Returns the mean of the members' probabilities; those of a batch are in memory, not of all rows.

        Args:
            images: (rows, height, width[, 3]) uint8.
            on_rows: Called after each batch.

        Returns:
            (rows, classes) float32, rows sum to 1.
        """
        mean = np.empty((len(images), self.num_classes), np.float32)
        for rows, proba in self._batches(images):
            mean[rows] = proba.mean(axis=0, dtype=np.float64)
            on_rows(rows.stop)
        return mean

    def warm_up(self, rows: int | None = None) -> None:
        """Compiles and runs each length of batch once, up to one that holds so many rows (default: all lengths)."""
        for length in _lengths(min(rows or self.batch_rows, self.batch_rows)):
            self.run(np.zeros((length, *self.image_shape), np.uint8))

    def _batches(self, images: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields the rows of each batch and their probabilities, (members, rows, classes)."""
        length = min(_lengths(len(images))[-1], self.batch_rows)
        for start in range(0, len(images), length):
            batch = images[start : start + length]
            proba = self.run(_padded(batch, length))
            yield slice(start, start + len(batch)), proba[:, : len(batch)]

    def _best_batch_rows(self) -> int:
        pixels = CPU_BATCH_PIXELS if self.on_cpu else GPU_BATCH_PIXELS
        return 1 << max(0, (pixels // math.prod(self.image_shape)).bit_length() - 1)


class TensorFlowProgram(EnsembleProgram):
    """The program on TensorFlow: one graph."""

    @property
    def on_cpu(self) -> bool:
        """Whether no GPU is visible."""
        import tensorflow as tf

        return not tf.config.get_visible_devices("GPU")

    def run(self, images: np.ndarray) -> np.ndarray:
        """Runs (batch, height, width[, 3]) uint8; returns (members, batch, classes) float32."""
        return self._graph(images).numpy()

    @cached_property
    def _graph(self) -> Any:
        import tensorflow as tf

        def members(images: tf.Tensor) -> tf.Tensor:
            return tf.stack([tf.cast(model(images, training=False), tf.float32) for model in self.models])

        images = tf.TensorSpec((None, *self.image_shape), tf.uint8)
        return tf.function(members, input_signature=[images], autograph=False)


class JaxProgram(EnsembleProgram):
    """The program on JAX: one XLA program for each length of batch. Weights are arguments, not constants of it."""

    @property
    def on_cpu(self) -> bool:
        """Whether JAX has no GPU."""
        import jax

        return jax.default_backend() == "cpu"

    def run(self, images: np.ndarray) -> np.ndarray:
        """Runs (batch, height, width[, 3]) uint8; returns (members, batch, classes) float32."""
        return np.asarray(self._program(self._weights, images))

    @cached_property
    def _weights(self) -> list[tuple[list[Any], list[Any]]]:
        kinds = [(model.trainable_variables, model.non_trainable_variables) for model in self.models]
        return [([each.value for each in trained], [each.value for each in others]) for trained, others in kinds]

    @cached_property
    def _program(self) -> Any:
        import jax
        import jax.numpy as jnp

        def members(weights: list[tuple[list[Any], list[Any]]], images: jax.Array) -> jax.Array:
            pairs = zip(self.models, weights, strict=True)
            proba = [model.stateless_call(*values, images, training=False)[0] for model, values in pairs]
            return jnp.stack(proba).astype("float32")

        return jax.jit(members)


def build_program(models: Sequence[keras.Model], batch_rows: int | None = None) -> EnsembleProgram:
    """Returns the program of networks, on Keras's backend; it is compiled when it first runs.

    Args:
        models: As for `EnsembleProgram`; each as `load_model` gives it.
        batch_rows: As for `EnsembleProgram`.
    """
    kind = JaxProgram if keras.backend.backend() == "jax" else TensorFlowProgram
    return kind(models, batch_rows)


def _padded(batch: np.ndarray, length: int) -> np.ndarray:
    """Returns a batch (rows, …) with black images behind it, so that it has this length."""
    missing = length - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch


def _lengths(rows: int) -> list[int]:
    """Returns the lengths of batches up to the first that holds so many rows: 1, 2, 4, …"""
    return [1 << power for power in range((rows - 1).bit_length() + 1)]
