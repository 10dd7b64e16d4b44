"""Inspects one trained network: layers, filters, feature maps, and what augmentation does to an image.

Keras does that in a process of its own, so that a report is drawn even where it fails or memory runs out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from digits_ray.config import Augmentation

SHOWN = 16  # filters and feature maps of a layer
AUGMENTED = 9  # copies of the image
DEADLINE_SECONDS = 180  # of which importing a backend lasts up to 20 on a busy machine


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


def inspect_model(
    model_file: bytes, image: np.ndarray, augmentation: Augmentation, backend: str = "tensorflow"
) -> Inspection:
    """Inspects a model in a process of its own.

    Args:
        model_file: A .keras archive that takes raw uint8 images.
        image: (height, width[, 3]) uint8.
        augmentation: Of the model's training.
        backend: Of Keras, that the model was trained on.

    Raises:
        RuntimeError: the process failed; the message says how.
    """
    with TemporaryDirectory() as folder:
        Path(folder, "model.keras").write_bytes(model_file)
        np.savez(Path(folder, "request.npz"), image=image, augmentation=np.array(json.dumps(asdict(augmentation))))
        _run_inspection(folder, backend)
        with np.load(Path(folder, "result.npz"), allow_pickle=False) as result:
            return _inspection({name: result[name] for name in result.files})


def _run_inspection(folder: str, backend: str) -> None:
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    command = [sys.executable, "-m", "digits_ray.report.model_inspection", folder, backend]
    try:
        # There, since Python imports from its working folder first, which may hold the user's files.
        cwd = Path(__file__).parents[2]
        ended = subprocess.run(
            command, capture_output=True, timeout=DEADLINE_SECONDS, env=environment, cwd=cwd, text=True
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it took more than {DEADLINE_SECONDS} s") from None
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or ["no message"]
        reason = f"killed by signal {-ended.returncode}, perhaps out of memory" if ended.returncode < 0 else lines[-1]
        raise RuntimeError(reason)


def _inspection(result: Mapping[str, np.ndarray]) -> Inspection:
    texts = json.loads(str(result["texts"]))
    convolutions = [
        Convolution(layer["name"], result[f"filters_{number}"], result[f"maps_{number}"], layer["total"])
        for number, layer in enumerate(texts["convolutions"])
    ]
    return Inspection([Layer(**layer) for layer in texts["layers"]], convolutions, result["augmented"])


# In the other process


def _inspect_here(folder: str, backend: str) -> None:
    """Reads request.npz and model.keras from a folder, and writes result.npz there."""
    from digits_ray.training import device

    device.claim(device.DeviceResources(threads=1, backend=backend))  # no GPU: others may be training on it
    from digits_ray.training import load_model  # imports Keras

    with np.load(Path(folder, "request.npz"), allow_pickle=False) as request:
        image, augmentation = request["image"], json.loads(str(request["augmentation"]))
    model = load_model(Path(folder, "model.keras").read_bytes())
    arrays, convolutions = _convolutions(model, image)
    texts = {"layers": _layers(model), "convolutions": convolutions}
    arrays["augmented"] = _augmented(image, augmentation)
    np.savez(Path(folder, "result.npz"), texts=np.array(json.dumps(texts)), **arrays)  # type: ignore[arg-type]


def _layers(model: Any) -> list[dict[str, Any]]:
    return [asdict(_layer(layer)) for layer in _flattened(model)]


def _layer(layer: Any) -> Layer:
    shape = " × ".join(str(size) for size in layer.output.shape[1:])
    return Layer(layer.name, type(layer).__name__, shape, layer.count_params())


def _flattened(model: Any) -> list[Any]:
    """Returns the layers of a model and of the models in it, inputs left out."""
    import keras

    layers: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            layers += _flattened(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    return layers


def _convolutions(model: Any, image: np.ndarray) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Returns the arrays of the convolution layers by name, and each layer's name and number of filters."""
    arrays: dict[str, np.ndarray] = {}
    convolutions: list[dict[str, Any]] = []
    for layer, maps in _convolution_outputs(model, image):
        number, kernel = len(convolutions), np.array(layer.kernel, np.float32)  # (height, width, in, out)
        arrays[f"filters_{number}"] = kernel.mean(axis=2).transpose(2, 0, 1)[:SHOWN]
        arrays[f"maps_{number}"] = maps[0].transpose(2, 0, 1)[:SHOWN]
        convolutions.append({"name": layer.name, "total": kernel.shape[-1]})
    return arrays, convolutions


def layer_outputs(model: Any, image: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Passes the raw image through layer by layer (so it is scaled once, by the model's own layer).

    Args:
        model: A Keras model that takes raw uint8 images.
        image: (height, width[, 3]) uint8.

    Yields:
        Each layer with its output, (1, …) float32.
    """
    import keras

    value = keras.ops.convert_to_tensor(image[None])
    for layer in _flattened(model):
        value = layer(value)
        yield layer, keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))


def _convolution_outputs(model: Any, image: np.ndarray) -> list[tuple[Any, np.ndarray]]:
    """Returns each convolution layer with its output, (1, height, width, filters)."""
    import keras

    return [(layer, maps) for layer, maps in layer_outputs(model, image) if isinstance(layer, keras.layers.Conv2D)]


def _augmented(image: np.ndarray, augmentation: Mapping[str, Any]) -> np.ndarray:
    import keras

    from digits_ray.training import RandomAffine

    layer = RandomAffine(**augmentation, seed=0)
    distorted = layer(np.repeat(image[None], AUGMENTED, axis=0), training=True)
    copies = keras.ops.convert_to_numpy(distorted).reshape(AUGMENTED, *image.shape)
    return np.rint(255 * copies).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    _inspect_here(*sys.argv[1:])
