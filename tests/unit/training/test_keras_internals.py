"""What is used of Keras without a promise: it exists in this Keras, and where it does not, Keras works without."""

import sys
from types import SimpleNamespace

import keras
import pytest
from keras.src.backend import config

from digits_ray.training import keras_internals


class Residual(keras.layers.Layer):
    """A layer that is no model, with layers in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = keras.layers.Dense(2), keras.layers.Dense(2)


def test_this_keras_has_what_is_used_of_it() -> None:
    assert isinstance(config._KERAS_DIR, str)
    assert isinstance(keras.layers.Dense(1)._layers, list)


def test_the_layers_within_a_layer_are_listed_in_their_order() -> None:
    residual = Residual()
    assert keras_internals.sublayers(residual) == [residual.first, residual.second]
    model = keras.Sequential([residual])
    assert residual in keras_internals.sublayers(model)


def test_another_keras_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [object(), object()]
    assert keras_internals.sublayers(SimpleNamespace(layers=layers)) == layers  # a model's, which is public
    assert keras_internals.sublayers(SimpleNamespace()) == []
    monkeypatch.setitem(sys.modules, "keras.src.backend", SimpleNamespace())
    keras_internals.set_home("/home/of/keras")
