"""Networks of the user's own: what the user's function returns, made a model that can be trained."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import keras

from digits_ray.config import OwnNetwork
from digits_ray.training.network_modules import (
    NetworkError,
    find_function,
    kind_of,
    model_name,
    network_of_model,
    unchanged_keras_settings,
)

PARAMETERS = ("height", "width", "channels", "classes")


def build(network: OwnNetwork, height: int, width: int, num_classes: int, channels: int) -> keras.Model:
    """Builds a user's network for (height, width, channels) pixels in [0, 1], in the precision that Keras is set to.

    Args:
        network: Its file registered, with its hash.
        height: Of an image, in pixels.
        width: Alike.
        num_classes: Number of classes.
        channels: 1, or 3 in colour.

    Raises:
        NetworkError: what its function returns is no network for these images.
        Exception: whatever the user's code raises.
    """
    with unchanged_keras_settings():
        returned = _bound(find_function(network), (height, width, channels, num_classes))()
        return _as_model(returned, (height, width, channels), num_classes, model_name(network))


def is_own(model: keras.Model) -> bool:
    """Returns whether `build` has made a model."""
    return network_of_model(model.name) is not None


def built_anew(model: keras.Model) -> keras.Model:
    """Returns a model that `build` has made, built once more in Keras's precision of now, with the same weights."""
    network = network_of_model(model.name)
    assert network is not None
    height, width, channels = model.input_shape[1:]
    copy = build(network, height, width, model.output_shape[-1], channels)
    copy.set_weights(model.get_weights())
    return copy


# What the function returns


def _bound(function: Callable[..., Any], values: tuple[int, int, int, int]) -> Callable[[], Any]:
    """Returns the user's function with its arguments: by name where it takes these names, else in their order."""
    by_name, signature = dict(zip(PARAMETERS, values, strict=True)), inspect.signature(function)
    with suppress(TypeError):
        signature.bind(**by_name)
        return partial(function, **by_name)
    with suppress(TypeError):
        signature.bind(*values)
        return partial(function, *values)
    raise NetworkError(f"takes {signature}, but is called with ({', '.join(PARAMETERS)})")


def _as_model(returned: Any, shape: tuple[int, int, int], num_classes: int, name: str) -> keras.Model:
    network = returned if isinstance(returned, keras.Model) else keras.Sequential(_layers(returned))
    _refuse_other_inputs(network, shape)
    inputs = keras.Input(shape)
    outputs = _single_output(network(inputs))
    _refuse_other_outputs(outputs.shape, num_classes)
    if outputs.dtype != "float32":
        _last_layer(network).dtype_policy = "float32"  # of the softmax: in bfloat16, rows do not sum to 1
        outputs = _single_output(network(inputs))
    return keras.Model(inputs, outputs, name=name)


def _layers(returned: Any) -> list[keras.layers.Layer]:
    if isinstance(returned, keras.KerasTensor):
        raise NetworkError("returns a tensor. Return the model: keras.Model(inputs, outputs)")
    if isinstance(returned, keras.layers.Layer):
        return [returned]
    if inspect.iscoroutine(returned):
        returned.close()  # else Python warns that nobody awaited it
    if isinstance(returned, str | bytes | dict) or not isinstance(returned, Iterable):
        raise NetworkError(f"returns {kind_of(returned)}. Return Keras layers, or a Keras model")
    entries = list(returned)
    if entries and isinstance(entries[0], keras.KerasTensor | keras.layers.InputLayer):
        entries = entries[1:]  # keras.Input(…), which a Sequential may begin with
    for entry in entries:
        if not isinstance(entry, keras.layers.Layer):
            raise NetworkError(f"returns {kind_of(entry)} among its layers. Return Keras layers, or a Keras model")
    if not entries:
        raise NetworkError("returns no layer. Return Keras layers, or a Keras model")
    return entries


def _refuse_other_inputs(network: keras.Model, shape: tuple[int, int, int]) -> None:
    inputs = getattr(network, "inputs", None) or []
    if not inputs:
        return  # built at its first call
    if len(inputs) > 1:
        raise NetworkError(f"has {len(inputs)} inputs. A network gets one, the images")
    batch, *expected = inputs[0].shape
    if batch is not None:
        raise NetworkError(f"takes batches of {batch} images. Leave the batch size of its input open")
    if len(expected) != 3 or any(size not in (None, ours) for size, ours in zip(expected, shape, strict=True)):
        raise NetworkError(
            f"takes inputs of {_by(expected)}, the images have {_by(shape)} (height × width × channels)."
            " Build it for the height, width and channels that it is called with"
        )


def _single_output(outputs: Any) -> keras.KerasTensor:
    tensors = keras.tree.flatten(outputs)
    if len(tensors) != 1:
        raise NetworkError(f"has {len(tensors)} outputs. A network gives one, the probabilities of the classes")
    return tensors[0]


def _refuse_other_outputs(shape: tuple[int | None, ...], num_classes: int) -> None:
    if len(shape) == 2 and shape[1] == num_classes:
        return
    if len(shape) == 2:
        outputs = "1 output" if shape[1] == 1 else f"{shape[1]} outputs"
        raise NetworkError(f"gives {outputs} for {num_classes} classes. End it with Dense(classes, 'softmax')")
    raise NetworkError(
        f"gives {_by(shape[1:])} outputs for {num_classes} classes. Flatten them before the last layer,"
        " Dense(classes, 'softmax')"
    )


def _last_layer(network: keras.Model) -> keras.layers.Layer:
    last = network.layers[-1] if network.layers else network
    return _last_layer(last) if isinstance(last, keras.Model) and last is not network else last


def _by(sizes: Iterable[int | None]) -> str:
    return " × ".join("any" if size is None else str(size) for size in sizes)
