"""A convolution that stays fast where several networks are one program.

`jax.vmap` makes a grouped convolution of one whose kernels differ from network to network. One convolution for each
network, within the same program, is faster on a GPU (benchmarks/stacks.py).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import layers


class StackedConv2D(layers.Conv2D):
    """Keras's layer with the same weights and results, which `jax.vmap` computes for each network by itself."""

    keras_layer = layers.Conv2D  # see `with_keras_layers`

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns (batch, height, width, filters).

        Args:
            inputs: (batch, height, width, channels).
            kernel: (kernel height, kernel width, channels, filters).
        """
        kernel = keras.ops.convert_to_tensor(kernel)
        dtype = jnp.result_type(inputs.dtype, kernel.dtype)
        return _convolution(self.strides, self.padding.upper(), inputs.astype(dtype), kernel.astype(dtype))


def for_stack(network: keras.Model) -> keras.Model:
    """Returns a copy, of other first weights, whose plain convolutions are `StackedConv2D`."""

    def stacked_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return (StackedConv2D if _is_plain(layer) else type(layer)).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=stacked_layer)


def _is_plain(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is a convolution that `StackedConv2D` computes; others are right in a stack, but slow."""
    plain = {"data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1}
    return type(layer) is layers.Conv2D and all(getattr(layer, name) == value for name, value in plain.items())


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolution(strides: tuple[int, int], padding: str, images: Any, kernel: Any) -> Any:
    return _for_each_network(partial(_single_convolution, strides, padding))(images, kernel)


def _convolution_and_operands(strides: tuple[int, int], padding: str, *operands: Any) -> tuple[Any, Any]:
    return _convolution(strides, padding, *operands), operands


def _gradients(strides: tuple[int, int], padding: str, operands: Any, gradient: Any) -> Any:
    def of_network(images: Any, kernel: Any, gradient: Any) -> Any:
        return jax.vjp(partial(_single_convolution, strides, padding), images, kernel)[1](gradient)

    return _for_each_network(of_network)(*operands, gradient)


_convolution.defvjp(_convolution_and_operands, _gradients)


def _single_convolution(strides: tuple[int, int], padding: str, images: Any, kernel: Any) -> Any:
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(images, kernel, strides, padding, dimension_numbers=axes)


def _for_each_network(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function such that, under `jax.vmap`, it is called once for each network, in the same program."""
    called = jax.custom_batching.custom_vmap(function)

    @called.def_vmap
    def call_for_each(networks: int, is_stacked: Any, *operands: Any) -> tuple[Any, Any]:
        def operands_of(network: int) -> list[Any]:
            pairs = zip(operands, is_stacked, strict=True)
            return [values[network] if stacked else values for values, stacked in pairs]

        results = [function(*operands_of(network)) for network in range(networks)]
        return jax.tree.map(lambda *values: jnp.stack(values), *results), jax.tree.map(lambda _: True, results[0])

    return called
