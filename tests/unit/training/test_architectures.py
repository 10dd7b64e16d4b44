"""Architectures: what was published, and what any image size allows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from digits_ray.config.schema import ARCHITECTURES
from digits_ray.training import architectures


def convolutions(network: keras.Sequential) -> list[tuple[int, int, int, str]]:
    kinds = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return [(layer.filters, layer.kernel_size[0], layer.strides[0], layer.padding) for layer in kinds]


def test_notebook_has_three_blocks_of_three_convolutions() -> None:
    network = architectures.build("notebook", 28, 28, 10)
    assert convolutions(network) == [(f, 3, 1, "same") for f in (32, 64, 128) for _ in range(3)]
    assert sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in network.layers) == 2
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.2] * 3


def test_deotte_is_the_published_network() -> None:
    network = architectures.build("deotte", 28, 28, 10)
    blocks = [[(f, 3, 1, "valid"), (f, 3, 1, "valid"), (f, 5, 2, "same")] for f in (32, 64)]
    assert convolutions(network) == [*blocks[0], *blocks[1], (128, 4, 1, "valid")]
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers) == 7
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.4] * 3


def test_the_wide_deotte_has_twice_its_filters_and_is_otherwise_the_same() -> None:
    network, wide = architectures.build("deotte", 28, 28, 10), architectures.build("deotte_wide", 28, 28, 10)
    assert convolutions(wide) == [(2 * filters, *others) for filters, *others in convolutions(network)]
    assert [type(layer) for layer in wide.layers] == [type(layer) for layer in network.layers]


@pytest.mark.parametrize(("side", "last"), [(8, "same"), (27, "same"), (28, "valid"), (32, "valid")])
def test_the_small_vgg_has_three_blocks_of_three_normalised_convolutions_and_pads_the_last_where_it_must(
    side: int, last: str
) -> None:
    network = architectures.build("vgg_small", side, side, 10, channels=3)
    padding = {64: "same", 128: "same", 256: last}
    assert convolutions(network) == [(f, 3, 1, padding[f]) for f in (64, 128, 256) for _ in range(3)]
    kinds = [type(layer) for layer in network.layers]
    normalised = {keras.layers.BatchNormalization, architectures.FusedBatchNormalization}
    assert sum(kind in normalised for kind in kinds) == 9
    assert kinds.count(keras.layers.MaxPooling2D) == 2
    assert kinds[-2] is keras.layers.GlobalAveragePooling2D
    assert network.count_params() == 1_926_794 + 2 * 9 * 64


def trained_once(layer: keras.layers.Layer, images: np.ndarray) -> list[np.ndarray]:
    """Returns outputs in training, the gradients of inputs and weights, the moving averages, and outputs after it."""
    layer.build(images.shape)
    random = np.random.default_rng(1)
    layer.set_weights([random.random(weight.shape, np.float32) + 0.5 for weight in layer.weights])
    wanted = tf.constant(random.random(images.shape, np.float32))
    with tf.GradientTape() as tape:
        inputs = tf.Variable(images)
        outputs = layer(inputs, training=True)
        loss = tf.reduce_sum((outputs - wanted) ** 2)
    gradients = tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_weights)])
    return [np.array(value) for value in (outputs, *gradients, *layer.non_trainable_weights, layer(images))]


@pytest.mark.parametrize("shape", [(16, 6, 5, 8), (3, 1, 1, 4)])
def test_fused_batch_normalisation_trains_as_keras_own(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    fused = trained_once(architectures.FusedBatchNormalization(), images)
    own = trained_once(keras.layers.BatchNormalization(), images)
    assert len(fused) == 7
    for value, expected in zip(fused, own, strict=True):
        assert np.allclose(value, expected, rtol=1e-4, atol=1e-4)


def test_a_network_of_keras_own_layers_predicts_the_same() -> None:
    network, images = (
        architectures.build("deotte", 28, 28, 10),
        np.random.default_rng(0).random((4, 28, 28, 1), np.float32),
    )
    network(images, training=True)  # moves the averages
    in_keras = architectures.with_keras_layers(network)
    assert any(isinstance(layer, architectures.FusedBatchNormalization) for layer in network.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in in_keras.layers)
    assert np.array_equal(network(images), in_keras(images))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("extra", [0, 1, 20])
def test_outputs_are_probabilities_from_the_smallest_side_on(architecture: str, extra: int) -> None:
    side = ARCHITECTURES[architecture] + extra
    network = architectures.build(architecture, side, side + 1, 7)
    proba = np.array(network(np.random.default_rng(0).random((2, side, side + 1, 1), np.float32)))
    assert proba.shape == (2, 7)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("architecture", [name for name, side in ARCHITECTURES.items() if side > 4])
def test_below_the_smallest_side_nothing_is_left(architecture: str) -> None:
    side = ARCHITECTURES[architecture] - 1
    with pytest.raises(ValueError, match=r"[Nn]egative|Invalid|invalid"):
        architectures.build(architecture, side, side, 7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_layer_is_a_float32_softmax_in_every_precision(architecture: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    last = architectures.build(architecture, 28, 28, 10).layers[-1]
    assert last.activation is keras.activations.softmax
    assert last.compute_dtype == "float32"


def test_probabilities_without_smoothing_are_those_that_smoothed_labels_were_made_of() -> None:
    true = np.random.default_rng(0).dirichlet(np.ones(7), 100).astype(np.float32)
    smoothed = 0.9 * true + 0.1 / 7
    assert np.allclose(architectures.remove_label_smoothing(smoothed, 0.1), true, atol=1e-6)
    assert architectures.remove_label_smoothing(true, 0.0) is true


def test_probabilities_without_smoothing_keep_their_order_and_sum_to_1() -> None:
    proba = np.random.default_rng(0).dirichlet(np.full(7, 0.1), 100).astype(np.float32)  # some surer than they can be
    found = np.asarray(architectures.remove_label_smoothing(proba, 0.3))
    assert found.min() == 0
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found.argmax(axis=1) == proba.argmax(axis=1)).all()
