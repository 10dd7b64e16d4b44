"""Turns members' archives into one file, in a process of its own.

`python -m digits_ray.export.conversion FOLDER FORMAT`. Converters change global state of TensorFlow and NumPy, print,
and may take the process with them.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digits_ray.export.formats import FORMATS
from digits_ray.training import DeviceResources, device
from digits_ray.training.network_files import read_networks, register_networks

if TYPE_CHECKING:
    import keras

IMAGES, EXPECTED, METADATA, NETWORKS = "images.npy", "expected.npy", "metadata.json", "networks"


def member_file(number: int) -> str:
    """Returns the name of a member's archive in the folder."""
    return f"member-{number:05d}.keras"


def model_file(format_name: str) -> str:
    """Returns the name of the exported file in the folder."""
    return f"ensemble{FORMATS[format_name].suffix}"


def main(folder: Path, format_name: str) -> None:
    """Writes the exported file, and what its members give rebuilt in float32: (rows, classes) float32.

    Args:
        folder: Holds the members' archives, files of users' own networks, images to check with, and the metadata.
        format_name: One of FORMATS.
    """
    # TensorFlow, whatever the members were trained with: its converters need no library of JAX's beside them.
    device.claim(DeviceResources(threads=os.cpu_count() or 1, gpus=0, backend="tensorflow"))
    from digits_ray.export.mean_model import mean_model
    from digits_ray.training import build_program, load_float32_model

    register_networks(read_networks(folder / NETWORKS))

    archives = [path.read_bytes() for path in sorted(folder.glob("member-*.keras"))]
    models = [load_float32_model(archive) for archive in archives]
    np.save(folder / EXPECTED, build_program(models).mean_proba(np.load(folder / IMAGES)))
    _WRITERS[format_name](mean_model(models), folder / model_file(format_name), (folder / METADATA).read_text())


def _write_keras(ensemble: "keras.Model", path: Path, metadata: str) -> None:
    from digits_ray.export.metadata import add_to_keras

    ensemble.save(path)
    add_to_keras(path, metadata)


def _write_onnx(ensemble: "keras.Model", path: Path, metadata: str) -> None:
    from digits_ray.export.metadata import add_to_onnx

    ensemble(np.zeros((1, *ensemble.input_shape[1:]), np.uint8))  # the exporter takes no model that was never called
    ensemble.export(path, format="onnx", verbose=False)
    add_to_onnx(path, metadata)


def _write_tflite(ensemble: "keras.Model", path: Path, metadata: str) -> None:
    ensemble.export(path, format="litert", verbose=False)


_WRITERS: dict[str, Callable[["keras.Model", Path, str], None]] = {
    "keras": _write_keras,
    "onnx": _write_onnx,
    "tflite": _write_tflite,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
