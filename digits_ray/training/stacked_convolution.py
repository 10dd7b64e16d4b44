"""A convolution that stays fast where several networks are one program.

Of a convolution whose kernels differ from network to network, `jax.vmap` makes a grouped one, whose gradients are slow on
GPUs. Of a gather of shifted slices and a matrix product it makes a gather and one batched matrix product.
"""

from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import layers

ALIGNMENT = 8  # values that the product's inner axis is filled up to a multiple of: what tensor cores take in bfloat16


class StackedConv2D(layers.Conv2D):
    """Keras's layer with the same weights and, but for rounding, the same results, in other operations."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns (batch, height, width, filters).

        Args:
            inputs: (batch, height, width, channels).
            kernel: (kernel height, kernel width, channels, filters).
        """
        kernel = keras.ops.convert_to_tensor(kernel)
        dtype = jnp.result_type(inputs.dtype, kernel.dtype)
        patches = _patches(inputs.astype(dtype), kernel.shape[:2], self.strides, self.padding)
        weights = kernel.astype(dtype).reshape(-1, kernel.shape[-1])
        missing = -len(weights) % ALIGNMENT
        patches = jnp.pad(patches, [(0, 0)] * 3 + [(0, missing)])
        return patches @ jnp.pad(weights, [(0, missing), (0, 0)])


def for_stack(network: keras.Model) -> keras.Model:
    """Returns a copy, of other first weights, whose plain convolutions are `StackedConv2D`."""

    def stacked_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return (StackedConv2D if _is_plain(layer) else type(layer)).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=stacked_layer)


def _is_plain(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is a convolution that `StackedConv2D` computes; others are right in a stack, but slow."""
    plain = {"data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1}
    return type(layer) is layers.Conv2D and all(getattr(layer, name) == value for name, value in plain.items())


def _patches(images: Any, kernel: tuple[int, int], strides: tuple[int, int], padding: str) -> Any:
    """Returns (batch, height, width, y · x · channels): what each position of the kernel covers."""
    pads = jax.lax.padtype_to_pads(images.shape[1:3], kernel, strides, padding.upper())
    padded = jnp.pad(images, [(0, 0), *pads, (0, 0)])
    sides = padded.shape[1:3]
    rows, columns = (
        [slice(start, size - side + start + 1, stride) for start in range(side)]
        for size, side, stride in zip(sides, kernel, strides, strict=True)
    )
    return jnp.concatenate([padded[:, row, column] for row in rows for column in columns], axis=-1)
