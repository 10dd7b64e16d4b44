"""The loop on JAX for several members at once: their states on a leading axis, over the same rows."""

from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np

from digits_ray.training.jax_loop import JaxLoop, State


class StackLoop(JaxLoop):
    """Trains a stack of members, each as `JaxLoop` trains it alone: states and order have the members' axis first."""

    def metrics_at_start(self, members: int) -> list[Any]:
        """Returns the last part of a stack's state, as an epoch begins with it."""
        self.network.reset_metrics()
        return stack_states([self.read_state()[-1:]] * members)[0]

    def write_metrics(self, values: list[Any]) -> None:
        """Sets the variables of Keras's metrics."""
        for variable, value in zip(self.network.metrics_variables, values, strict=True):
            variable.assign(value)

    def _train_stretch(self, state: State, images: jax.Array, labels: jax.Array, order: jax.Array) -> State:
        return jax.vmap(super()._train_stretch, in_axes=(0, None, None, 0))(state, images, labels, order)


def stack_states(states: list[State]) -> State:
    """Returns the states of several members on a leading axis.

    They are stacked by NumPy: on a GPU, each shape would be a small program to compile.
    """
    stacked: State = jax.device_put(jax.tree.map(lambda *values: np.stack(values), *jax.device_get(states)))
    return stacked


def to_host(values: Any) -> Any:
    """Returns a stack's values, or a part of them, as arrays of NumPy; waits for the call that computes them."""
    return jax.device_get(values)


def member_of(stack: Any, number: int) -> Any:
    """Returns one member's values, views of the stack's."""
    values: Any = jax.tree.map(lambda array: np.asarray(array)[number], stack)
    return values


def beside_device() -> AbstractContextManager[Any]:
    """Returns a context whose arrays are on the CPU: on a GPU, the smallest sum would wait for the call that trains."""
    return jax.default_device(jax.local_devices(backend="cpu")[0])
