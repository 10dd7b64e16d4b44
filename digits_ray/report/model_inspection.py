"""Inspects one trained network: layers, filters, feature maps, and what augmentation does to an image.

Run as a program, it is the other end of `InspectionProcess`.
"""

import functools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray.config import Augmentation
from digits_ray.errors import UserError
from digits_ray.training.keras_internals import sublayers
from digits_ray.training.network_files import read_networks, register_networks

SHOWN = 16  # filters and feature maps of a layer
SHOWN_CONVOLUTIONS = 12  # the first of a network; each is a figure
AUGMENTED = 9  # copies of the image


@dataclass(frozen=True)
class Layer:
    """One layer of the model, as its summary shows it."""

    name: str
    kind: str
    shape: str  # of its output
    parameters: int


@dataclass(frozen=True)
class Convolution:
    """What one convolution layer has learnt, and its response to the image."""

    name: str
    filters: np.ndarray  # (shown, height, width) float32, mean over input channels
    maps: np.ndarray  # (shown, height, width) float32
    total: int  # filters of the layer


@dataclass(frozen=True)
class Inspection:
    """What the report shows of one network."""

    layers: list[Layer]
    convolutions: list[Convolution]
    augmented: np.ndarray  # (copies, height, width[, 3]) uint8


def _inspect_here(folder: str, backend: str) -> None:
    """Reads request.npz from a folder and, after a line of input, model.keras; writes result.npz there."""
    from digits_ray.training import device

    device.claim(device.DeviceResources(threads=1, backend=backend))  # no GPU: others may be training on it
    from digits_ray.training import load_model  # imports Keras
    from digits_ray.training.augmentation import augment

    register_networks(read_networks(Path(folder, "networks")))
    with np.load(Path(folder, "request.npz"), allow_pickle=False) as request:
        image, augmentation = request["image"], Augmentation(**json.loads(str(request["augmentation"])))
    augmented = augment(np.repeat(image[None], AUGMENTED, axis=0), augmentation, seed=0)
    if not sys.stdin.readline():
        return  # nobody waits any more
    model = load_model(Path(folder, "model.keras").read_bytes())
    calls = _calls(model, image)
    arrays, convolutions = _convolutions(calls)
    texts = {"layers": [asdict(_layer(call)) for call in calls if call.is_shown], "convolutions": convolutions}
    result = {"texts": np.array(json.dumps(texts)), "augmented": augmented, **arrays}
    np.savez(Path(folder, "result.npz"), **result)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Call:
    """A layer, as the model called it."""

    layer: Any
    output: Any  # tensor (1, …), or several
    is_shown: bool  # in the list of layers: not as a part of another one


def _calls(model: Any, image: np.ndarray) -> list[_Call]:
    """Passes the raw image through a model, however it is made, and returns each layer's first call, in their order."""
    import keras

    images = keras.ops.convert_to_tensor(image[None])
    _build_layers(model, images)
    calls: dict[int, _Call] = {}
    leaves = {id(layer): (layer, is_part) for layer, is_part in _leaves(model)}
    for layer, is_part in leaves.values():
        layer.call = _recorded(layer, calls, is_shown=not is_part)
    model(images, training=False)
    for layer in [call.layer for call in calls.values()]:
        del layer.call  # the recording one, which hides its class's
    return list(calls.values())


def _build_layers(model: Any, images: Any) -> None:
    """Calls a model with layers that Keras builds at their first call, by symbolic tensors, which hold no numbers."""
    if not all(layer.built for layer, _ in _leaves(model)):
        model(images)


def _recorded(layer: Any, calls: dict[int, _Call], *, is_shown: bool) -> Any:
    call = layer.call

    @functools.wraps(call)  # Keras reads its signature
    def recorded(*args: Any, **kwargs: Any) -> Any:
        output = call(*args, **kwargs)
        calls.setdefault(id(layer), _Call(layer, output, is_shown))
        return output

    return recorded


def _leaves(model: Any, is_part: bool = False) -> Iterator[tuple[Any, bool]]:
    """Yields the layers of a model and of the models in it, and whether they are parts of a layer that is no model."""
    import keras

    for layer in sublayers(model):
        if isinstance(layer, keras.Model):
            yield from _leaves(layer, is_part)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer, is_part
            yield from _leaves(layer, is_part=True)


def _layer(call: _Call) -> Layer:
    import keras

    shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(call.output)]
    shape = ", ".join(" × ".join(str(size) for size in sizes) for sizes in shapes)
    return Layer(call.layer.name, type(call.layer).__name__, shape, call.layer.count_params())


def feature_maps(model: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the layers of a model make of an image, by the layer's name, in the order of their calls.

    Args:
        model: A Keras model that takes raw uint8 images.
        image: (height, width[, 3]) uint8.

    Returns:
        (height, width, channels) float32 of each layer whose output has a height and a width.
    """
    maps = {call.layer.name: _maps(call) for call in _calls(model, image) if call.is_shown and _has_maps(call)}
    return {name: np.ascontiguousarray(values) for name, values in maps.items()}


def _has_maps(call: _Call) -> bool:
    return len(getattr(call.output, "shape", ())) == 4


def _maps(call: _Call) -> np.ndarray:
    """Returns a layer's output for the one image, (height, width, channels) float32."""
    import keras

    maps = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(call.output, "float32")))[0]
    return maps.transpose(1, 2, 0) if getattr(call.layer, "data_format", "") == "channels_first" else maps


def _convolutions(calls: list[_Call]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Returns the arrays of the convolution layers by name, and each layer's name and number of filters."""
    import keras

    arrays: dict[str, np.ndarray] = {}
    convolutions: list[dict[str, Any]] = []
    for call in [call for call in calls if isinstance(call.layer, keras.layers.Conv2D)][:SHOWN_CONVOLUTIONS]:
        number, kernel = len(convolutions), np.array(call.layer.kernel, np.float32)  # (height, width, in, out)
        arrays[f"filters_{number}"] = kernel.mean(axis=2).transpose(2, 0, 1)[:SHOWN]
        arrays[f"maps_{number}"] = _maps(call).transpose(2, 0, 1)[:SHOWN]
        name, taken = call.layer.name, {convolution["name"] for convolution in convolutions}
        convolutions.append({"name": f"{name}_{number}" if name in taken else name, "total": kernel.shape[-1]})
    return arrays, convolutions


if __name__ == "__main__":
    try:
        _inspect_here(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
