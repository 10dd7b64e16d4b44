"""The loop on JAX: `lax.scan` over Keras's stateless training step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import keras
import numpy as np

from digits_ray.training.device.compilation_cache import compiled_once
from digits_ray.training.device.jax import loop_compiler_options
from digits_ray.training.device_loop import DeviceLoop, DeviceRows

CALL_PIXELS = 65_536 * 28 * 28  # for the preset `fast`, a quarter of a second on an H100, some on the slowest GPUs
UNROLL = 1  # batches in each turn of the compiled loop

State = list[list[Any]]  # values of variables, jax.Array, in the order of `JaxLoop._variables`


class JaxLoop(DeviceLoop):
    """Trains in long calls on JAX."""

    def __init__(self, network: keras.Sequential, num_classes: int) -> None:
        super().__init__(network, num_classes)
        self._programs: dict[tuple[tuple[int, ...], ...], Any] = {}  # by the shapes of images, labels and order

    @property
    def call_pixels(self) -> int:
        """Constant: another length is another program to compile."""
        return CALL_PIXELS

    def to_device(self, array: np.ndarray) -> jax.Array:
        """Copies an array (rows, …) to the device."""
        return jax.device_put(array)

    def train(self, rows: DeviceRows, order: np.ndarray) -> None:
        """Trains on `order` (batches, batch size) int32. The state is read from Keras's variables and written back."""
        self.write_state(self.trained(self.read_state(), rows, order))

    def read_state(self) -> State:
        """Returns the values of Keras's variables."""
        return [[variable.value for variable in variables] for variables in self._variables()]

    def write_state(self, state: State) -> None:
        """Sets Keras's variables."""
        for variables, values in zip(self._variables(), state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def trained(self, state: State, rows: DeviceRows, order: np.ndarray) -> State:
        """Returns a state after training on `order` (batches, batch size) int32, in one call."""
        return self.compiled_call(state, rows, order)()

    def compiled_call(self, state: State, rows: DeviceRows, order: np.ndarray) -> Callable[[], State]:
        """Returns the call that trains on `order` (batches, batch size) int32, compiled already.

        It needs nothing of Keras, so any thread may make it.
        """
        arguments = (state, rows.images, rows.labels, order)
        return partial(self._program(*arguments), *arguments)

    def _program(self, state: State, images: Any, labels: Any, order: Any) -> Any:
        """Returns the loop, compiled for arguments of these shapes."""
        shapes = (images.shape, labels.shape, order.shape)
        if shapes not in self._programs:
            lowered = jax.jit(self._train_stretch).lower(state, images, labels, order)
            with compiled_once(lowered.as_text()):
                self._programs[shapes] = lowered.compile(compiler_options=loop_compiler_options())
        return self._programs[shapes]

    def _train_stretch(self, state: State, images: Any, labels: Any, order: Any) -> State:
        """The compiled loop; `order` is (batches, batch size) int32, rows in `images` and `labels`."""

        def train_batch(state: State, rows: Any) -> tuple[State, None]:
            targets = labels[rows]
            if labels.ndim == 1:
                targets = jax.nn.one_hot(targets, self.num_classes, dtype="float32")
            _, trained = self.network.train_step(state, (images[rows], targets))
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
