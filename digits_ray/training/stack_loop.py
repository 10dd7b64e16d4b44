"""The loop on JAX for several members at once: their states on a leading axis, over the same rows."""

import jax
import jax.numpy as jnp

from digits_ray.training.jax_loop import JaxLoop, State


class StackLoop(JaxLoop):
    """Trains a stack of members, each as `JaxLoop` trains it alone: states and order have the members' axis first."""

    def with_metrics_of_network(self, stack: State, members: int) -> State:
        """Returns a stack with every member's metrics as Keras's variables have them."""
        return [*stack[:-1], stack_states([self.read_state()[-1:]] * members)[0]]

    def _train_stretch(self, state: State, images: jax.Array, labels: jax.Array, order: jax.Array) -> State:
        return jax.vmap(super()._train_stretch, in_axes=(0, None, None, 0))(state, images, labels, order)


def stack_states(states: list[State]) -> State:
    """Returns the states of several members on a leading axis."""
    return jax.tree.map(lambda *values: jnp.stack(values), *states)


@jax.jit
def state_of(stack: State, number: int) -> State:
    """Returns one member's state."""
    return jax.tree.map(lambda values: values[number], stack)
