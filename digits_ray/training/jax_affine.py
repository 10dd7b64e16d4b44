"""The affine resample on JAX: of each image plane by itself, from its four neighbouring pixels.

Keras's `affine_transform` interpolates over the channels too, so it reads eight pixels for each. It multiplies the
coordinates by a matrix product, which a GPU rounds to TF32: some hundredths of a pixel off.
"""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates


def affine_transform(images: jax.Array, transforms: jax.Array) -> jax.Array:
    """Returns (batch, height, width, channels) float32, bilinearly resampled; 0 beyond the border.

    Args:
        images: (batch, height, width, channels) float32.
        transforms: (batch, 8), as `keras.ops.image.affine_transform` takes them; their last two are 0.
    """
    height, width = images.shape[1:3]
    y, x = jnp.meshgrid(jnp.arange(height, dtype="float32"), jnp.arange(width, dtype="float32"), indexing="ij")

    def resample(image: jax.Array, transform: jax.Array) -> jax.Array:
        a0, a1, a2, b0, b1, b2 = transform[:6]
        coordinates = [b0 * x + b1 * y + b2, a0 * x + a1 * y + a2]
        return jax.vmap(
            lambda plane: map_coordinates(plane, coordinates, order=1, mode="constant"), in_axes=-1, out_axes=-1
        )(image)

    return jax.vmap(resample)(images, transforms)
