"""What the report shows of a network, however it is made."""

import keras
import numpy as np
from keras import layers

from digits_ray.config import MemberSpec, Recipe
from digits_ray.report import model_inspection, tables
from digits_ray.report.model_inspection import Inspection, _calls, _convolutions, _layer

IMAGE = np.full((8, 8), 255, np.uint8)


class Block(layers.Layer):
    """Two convolutions side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = layers.Conv2D(3, 3, name="side"), layers.Conv2D(2, 3, name="side")

    def call(self, images: object) -> object:
        return layers.concatenate([self.left(images), self.right(images)])


class Subclassed(keras.Model):
    """A model that is no list of layers, one of which it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.scaled, self.block, self.unused = layers.Rescaling(1 / 255), Block(), layers.Dense(99)
        self.head = keras.Sequential([layers.Flatten(), layers.Dense(4, activation="softmax")])

    def call(self, images: object) -> object:
        return self.head(self.block(self.scaled(keras.ops.expand_dims(images, -1))))


def branched(filters: int) -> keras.Model:
    inputs = keras.Input((8, 8), dtype="uint8")
    first = layers.Conv2D(filters, 3, padding="same", name="first")(layers.Rescaling(1 / 255)(inputs[..., None]))
    second = layers.Conv2D(filters, 3, padding="same", name="second")(first)
    shared = layers.Conv2D(1, 1, name="shared")
    flat = layers.Flatten()(shared(layers.Add()([first, second])) + shared(first))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(flat))


def test_branches_are_followed_and_a_shared_layer_is_listed_once() -> None:
    calls = _calls(branched(5), IMAGE)
    arrays, convolutions = _convolutions(calls)
    assert [convolution["name"] for convolution in convolutions] == ["first", "second", "shared"]
    assert arrays["maps_1"].shape == (5, 8, 8) and arrays["filters_2"].shape == (1, 1, 1)
    assert [call.layer.name for call in calls].count("shared") == 1


def test_layers_within_a_layer_are_pictured_and_not_counted_twice() -> None:
    model = Subclassed()
    calls = _calls(model, IMAGE)
    shown = [_layer(call) for call in calls if call.is_shown]
    assert [layer.kind for layer in shown] == ["Rescaling", "Block", "Flatten", "Dense"]
    assert (shown[1].shape, shown[1].parameters) == ("6 × 6 × 5", 3 * 10 + 2 * 10)
    arrays, convolutions = _convolutions(calls)
    assert [(layer["name"], layer["total"]) for layer in convolutions] == [("side", 3), ("side_1", 2)]
    assert arrays["maps_0"].shape == (3, 6, 6)


def test_of_many_convolutions_the_first_are_pictured() -> None:
    deep = keras.Sequential([keras.Input((8, 8)), layers.Reshape((8, 8, 1)), *(layers.Conv2D(2, 1) for _ in range(20))])
    assert len(_convolutions(_calls(deep, IMAGE))[1]) == model_inspection.SHOWN_CONVOLUTIONS


def test_a_network_without_convolutions_is_told() -> None:
    dense = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(4, activation="softmax")])
    calls = _calls(dense, IMAGE)
    assert _convolutions(calls) == ({}, [])
    spec = MemberSpec(0, f"nets.py:build@{'3fa9' * 16}", 1, 0, Recipe())

    class Member:
        name = "member-000"

    Member.spec = spec  # type: ignore[attr-defined]
    table = tables.layers_table(Inspection([_layer(call) for call in calls], [], np.zeros((0, 8, 8))), Member())  # type: ignore[arg-type]
    assert table.title == "The network of member-000 (nets.py:build): 260 parameters"
    assert "no convolution layers" in table.note
