"""A member that was saved in a lower precision, as release 0.1.0 did, rebuilt in float32."""

import keras
import numpy as np

from digits_ray.training import is_in_float32, load_float32_model, load_model
from digits_ray.training.model_file import model_file


def network(precision: str) -> keras.Model:
    convolution = keras.layers.Conv2D(4, 3, dtype=precision)
    body = keras.Sequential([keras.Input((8, 8, 1)), convolution, keras.layers.Flatten(dtype=precision)])
    scale = keras.layers.Rescaling(1 / 255, dtype=precision)
    outer = [keras.Input((8, 8), dtype="uint8"), keras.layers.Reshape((8, 8, 1)), scale, body]
    return keras.Sequential([*outer, keras.layers.Dense(3, activation="softmax", dtype="float32")])


def test_a_network_in_bfloat16_computes_in_float32_with_the_same_weights() -> None:
    saved = network("mixed_bfloat16")
    exact = network("float32")
    exact.set_weights(saved.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    rebuilt = load_float32_model(model_file(saved))
    expected = exact.predict(images, verbose=0)
    assert np.allclose(rebuilt.predict(images, verbose=0), expected, rtol=0, atol=1e-6)
    as_saved = load_model(model_file(saved)).predict(images, verbose=0)
    assert not np.allclose(as_saved, expected, rtol=0, atol=1e-5)


def test_which_archives_compute_in_float32() -> None:
    assert is_in_float32(model_file(network("float32")))
    assert not is_in_float32(model_file(network("mixed_bfloat16")))
    assert not is_in_float32(model_file(network("bfloat16")))
