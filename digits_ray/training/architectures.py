"""Architectures, by name, from the image's shape and the number of classes.

Each takes pixels (height, width, channels) in [0, 1] and gives class probabilities (classes,), in float32 whatever the
precision. The last layer is the softmax: outputs are probabilities, never called logits.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from digits_ray.config import ARCHITECTURES, OwnNetwork
from digits_ray.training import own_networks

Layers = list[keras.layers.Layer]

DEOTTE_SIDE = ARCHITECTURES["deotte"]  # pixels that its unpadded convolutions need
VGG_UNPADDED_SIDE = 28  # pixels of which the two poolings leave the 7 that three unpadded 3×3 convolutions need


def build(architecture: str, height: int, width: int, num_classes: int, channels: int = 1) -> keras.Model:
    """Builds a network for (height, width, channels) pixels in [0, 1].

    `config.ARCHITECTURES` says which names there are and how small the images may be; beside them, there are those of
    the user's own, by file and function.
    """
    network = OwnNetwork.parse(architecture)
    if network:
        return own_networks.build(network, height, width, num_classes, channels)
    head = [layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities")]
    body = BUILDERS[architecture](min(height, width))
    return keras.Sequential([keras.Input((height, width, channels)), *body, *head], name=architecture)


def notebook(side: int) -> Layers:
    """The Kaggle notebook's CNN: three blocks of three 3×3 convolutions, 32, 64 and 128 filters."""
    body: Layers = []
    for filters in (32, 64, 128):
        body += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(3)]
        if filters < 128:
            body.append(layers.MaxPooling2D())
        body.append(layers.Dropout(0.2))
    return [*body, layers.Flatten(), layers.Dense(128, activation="relu")]


def deotte(side: int, filters: int = 32) -> Layers:
    """Chris Deotte's network, "25 Million Images! [0.99757] MNIST" (Kaggle, 2018): strided 5×5 for pooling."""
    body: Layers = []
    for width in (filters, 2 * filters):
        body += _normalised_convolution(width, 3) + _normalised_convolution(width, 3)
        body += [*_normalised_convolution(width, 5, strides=2, padding="same"), layers.Dropout(0.4)]
    return [*body, *_normalised_convolution(4 * filters, 4), layers.Flatten(), layers.Dropout(0.4)]


def deotte_wide(side: int) -> Layers:
    """`deotte` with twice the filters: four times its arithmetic."""
    return deotte(side, filters=64)


def deotte_plain(side: int) -> Layers:
    """`deotte` without normalisation, which takes most of its time on a CPU; dropout before the last layer alone.

    On images too small for its unpadded convolutions, it pads them.
    """
    padding = "valid" if side >= DEOTTE_SIDE else "same"
    body: Layers = []
    for filters in (32, 64):
        body += [
            _he_convolution(filters, 3, padding=padding),
            _he_convolution(filters, 3, padding=padding),
            _he_convolution(filters, 5, strides=2),
        ]
    return [*body, _he_convolution(128, 4, padding=padding), layers.Flatten(), layers.Dropout(0.4)]


def vgg_small(side: int) -> Layers:
    """Three blocks of three normalised 3×3 convolutions (after Simonyan & Zisserman 2015, arXiv:1409.1556).

    The last block is unpadded, but on images too small for that.
    """
    last = "valid" if side >= VGG_UNPADDED_SIDE else "same"
    body: Layers = []
    for filters, padding in ((64, "same"), (128, "same"), (256, last)):
        for _ in range(3):
            body += _normalised_convolution(filters, 3, padding=padding)
        if filters < 256:
            body.append(layers.MaxPooling2D())
    return [*body, layers.GlobalAveragePooling2D()]


def compact(side: int) -> Layers:
    """No normalisation and an early stride: a third of `deotte`'s arithmetic (11 against 30 MFLOP forward at 28×28)."""
    return [
        _he_convolution(32, 3, strides=2),
        _he_convolution(32, 3),
        _he_convolution(64, 3, strides=2),
        _he_convolution(64, 3),
        _he_convolution(96, 3, strides=2),
        layers.Flatten(),
        layers.Dropout(0.4),
    ]


def remove_label_smoothing(proba: Any, label_smoothing: float) -> Any:
    """Returns the probabilities of the classes from those of the smoothed labels.

    Smoothed labels are (1 - s) · label + s / classes (Szegedy et al. 2016, arXiv:1512.00567, section 7). A network that
    has learnt them is that much less sure than it should be. The inverse, cut off at 0, corrects this with nothing
    fitted, and the order of the classes stays.

    Args:
        proba: (rows, classes), rows sum to 1.
        label_smoothing: s, 0 … 1, as it was trained with.

    Returns:
        (rows, classes), rows sum to 1.
    """
    if label_smoothing == 0:
        return proba
    surplus = ops.maximum(proba - label_smoothing / proba.shape[-1], 0.0)
    return surplus / ops.sum(surplus, axis=-1, keepdims=True)


def _he_convolution(filters: int, size: int, strides: int = 1, padding: str = "same") -> keras.layers.Layer:
    """A convolution that trains without normalisation (He et al. 2015, arXiv:1502.01852)."""
    return layers.Conv2D(
        filters, size, strides=strides, padding=padding, activation="relu", kernel_initializer="he_normal"
    )


def _normalised_convolution(filters: int, size: int, strides: int = 1, padding: str = "valid") -> Layers:
    convolution = layers.Conv2D(filters, size, strides=strides, padding=padding, activation="relu")
    fused = keras.backend.backend() == "tensorflow"
    return [convolution, FusedBatchNormalization() if fused else layers.BatchNormalization()]


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's layer, trained by TensorFlow's one kernel for it, where Keras composes it of many.

    The same weights and, but for rounding, the same results (Ioffe & Szegedy 2015, arXiv:1502.03167). On a CPU a
    training step of `deotte` takes half the time.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=False, mask=mask)
        import tensorflow as tf

        scale, offset = ops.cast(self.gamma, "float32"), ops.cast(self.beta, "float32")
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, scale, offset, epsilon=self.epsilon)
        rows = math.prod(inputs.shape[1:-1]) * tf.cast(tf.shape(inputs)[0], tf.float32)
        variance *= (rows - 1) / rows  # the kernel returns the unbiased one, Keras keeps the other
        for average, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + of_batch * (1 - self.momentum))
        return outputs


def with_keras_layers(network: keras.Model) -> keras.Model:
    """Returns a network that predicts the same in float32, whatever it was trained in, in layers of Keras's own.

    One of the user's own keeps the layers that it has. To be called where Keras is set to float32.
    """
    if own_networks.is_own(network):
        return own_networks.built_anew(network)

    def keras_layer(trained: keras.layers.Layer) -> keras.layers.Layer:
        kind = layers.BatchNormalization if isinstance(trained, FusedBatchNormalization) else type(trained)
        return kind.from_config({**trained.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=keras_layer)
    copy.set_weights(network.get_weights())
    return copy


BUILDERS: dict[str, Callable[[int], Layers]] = {  # from the image's shorter side
    "compact": compact,
    "deotte": deotte,
    "deotte_plain": deotte_plain,
    "deotte_wide": deotte_wide,
    "notebook": notebook,
    "vgg_small": vgg_small,
}
