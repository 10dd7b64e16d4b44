"""A convolution that stays fast where several networks are one program.

`jax.vmap` makes a grouped convolution of one whose kernels differ from network to network, which has slow gradients on
GPUs. A gather of shifted slices and a matrix product become a gather and one batched matrix product.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import layers

ALIGNMENT = 8  # values that the product's inner axis is filled up to a multiple of: what tensor cores take in bfloat16
GRADIENT_PARTS = 16  # products that the kernel's gradient is summed from: a single one is too small to fill a GPU


class StackedConv2D(layers.Conv2D):
    """Keras's layer with the same weights and, but for rounding, the same results, in other operations."""

    keras_layer = layers.Conv2D  # see `with_keras_layers`

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns (batch, height, width, filters).

        Args:
            inputs: (batch, height, width, channels).
            kernel: (kernel height, kernel width, channels, filters).
        """
        kernel = keras.ops.convert_to_tensor(kernel)
        dtype = jnp.result_type(inputs.dtype, kernel.dtype)
        patches = gather_patches(inputs.astype(dtype), kernel.shape[:2], self.strides, self.padding)
        weights = kernel.astype(dtype).reshape(-1, kernel.shape[-1])
        missing = -len(weights) % ALIGNMENT
        patches = jnp.pad(patches, [(0, 0)] * 3 + [(0, missing)])
        return product(patches, jnp.pad(weights, [(0, missing), (0, 0)]))


def for_stack(network: keras.Model) -> keras.Model:
    """Returns a copy, of other first weights, whose plain convolutions are `StackedConv2D`."""

    def stacked_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return (StackedConv2D if _is_plain(layer) else type(layer)).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=stacked_layer)


def _is_plain(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is a convolution that `StackedConv2D` computes; others are right in a stack, but slow."""
    plain = {"data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1}
    return type(layer) is layers.Conv2D and all(getattr(layer, name) == value for name, value in plain.items())


def gather_patches(images: Any, kernel: tuple[int, int], strides: tuple[int, int], padding: str) -> Any:
    """Returns what each position of a kernel covers: (batch, height, width, kernel height · kernel width · channels).

    Args:
        images: (batch, height, width, channels).
        kernel: Height and width in pixels.
        strides: Alike.
        padding: "valid" or "same".
    """
    pads = jax.lax.padtype_to_pads(images.shape[1:3], kernel, strides, padding.upper())
    padded = jnp.pad(images, [(0, 0), *pads, (0, 0)])
    sides = padded.shape[1:3]
    rows, columns = (
        [slice(start, size - side + start + 1, stride) for start in range(side)]
        for size, side, stride in zip(sides, kernel, strides, strict=True)
    )
    return jnp.concatenate([padded[:, row, column] for row in rows for column in columns], axis=-1)


@jax.custom_vjp
def product(patches: Any, weights: Any) -> Any:
    """Returns (batch, height, width, filters) of (batch, height, width, inner) and (inner, filters)."""
    return patches @ weights


def _product(patches: Any, weights: Any) -> tuple[Any, tuple[Any, Any]]:
    return product(patches, weights), (patches, weights)


def _gradients(operands: tuple[Any, Any], gradient: Any) -> tuple[Any, Any]:
    patches, weights = operands
    parts = math.gcd(len(patches), GRADIENT_PARTS)
    patch_parts, gradient_parts = (values.reshape(parts, -1, values.shape[-1]) for values in (patches, gradient))
    products = jnp.einsum("pri,prf->pif", patch_parts, gradient_parts, preferred_element_type=jnp.float32)
    products = jax.lax.optimization_barrier(products)  # XLA would make one product of them and their sum
    return gradient @ weights.T, products.sum(axis=0).astype(weights.dtype)


product.defvjp(_product, _gradients)
