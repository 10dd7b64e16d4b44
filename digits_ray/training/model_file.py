"""The model of a trained member, by itself: what predicts, and what its .keras archive holds."""

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import keras

from digits_ray.errors import UserError
from digits_ray.training import architectures, network_modules

_CONFIG = "config.json"  # in a .keras archive
# As keras.initializers.serialize gives it, which imports TensorFlow where it is installed, on JAX too: two seconds.
_ZEROS: dict[str, Any] = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
_FLOAT32_OF = dict.fromkeys(("bfloat16", "float16", "mixed_bfloat16", "mixed_float16"), "float32")


def plain_model(body: keras.Model, label_smoothing: float) -> keras.Sequential:
    """Returns a model of Keras's own layers only: raw uint8 images in, probabilities out.

    It computes in float32 whatever the network was trained in: TFLite's converter knows no bfloat16, nor do most CPUs.

    Args:
        body: A network from (height, width, channels) pixels in [0, 1] to (classes,) probabilities; its weights are
            copied.
        label_smoothing: That it is trained with, 0 … 1.
    """
    with float32():
        return _model(body, label_smoothing)


def model_file(model: keras.Model) -> bytes:
    """Returns the .keras archive of a model."""
    archive = _Archive()
    model.save(archive)
    return archive.getvalue()


def load_model(archive: bytes) -> keras.Model:
    """Returns the model of a .keras archive, not compiled.

    Its first weights are zeros until the saved ones are read: drawing them takes JAX 6 s on a CPU, since it compiles
    for each shape.

    Raises:
        UserError: it has layers of the user's own, whose file was not given.
    """
    return _load(archive, _with_zeros(_config(archive)))


def load_float32_model(archive: bytes) -> keras.Model:
    """Returns the model of a .keras archive as `load_model` does, in float32 whatever it was saved in."""
    return _load(archive, _in_float32(_with_zeros(_config(archive))))


def is_in_float32(archive: bytes) -> bool:
    """Returns whether the model of a .keras archive computes in float32, as those of this release do."""
    return _in_float32(_config(archive)) == _config(archive)


def _load(archive: bytes, config: Any) -> keras.Model:
    """Returns the model of a .keras archive, with another configuration."""
    names = json.dumps(config)
    with tempfile.TemporaryDirectory() as folder, float32(), network_modules.own_objects_of(names):
        path = Path(folder) / "model.keras"
        path.write_bytes(_with_config(archive, config))
        try:
            return keras.saving.load_model(path, compile=False)
        except TypeError as error:
            missing = re.search(r"Could not locate \w+ '([^']+)'", str(error))
            if missing is None or network_modules.registered_keys(names):
                raise
            raise UserError(
                f"the network has a layer or function of its own, {missing[1]!r}. Give its file too:"
                " --architecture FILE.py:FUNCTION, or in Python load_run(…, architectures=[…])."
            ) from None


class _Archive(BytesIO):
    """A .keras archive in memory: a full disk of temporary files costs no training. Keras knows formats by names."""

    def __str__(self) -> str:
        return "model.keras"


def _config(archive: bytes) -> Any:
    with zipfile.ZipFile(BytesIO(archive)) as files:
        return json.loads(files.read(_CONFIG))


def _with_config(archive: bytes, config: Any) -> bytes:
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            after.writestr(name, json.dumps(config).encode() if name == _CONFIG else before.read(name))
    return changed.getvalue()


def _with_zeros(config: Any) -> Any:
    """Returns a model's configuration, with zeros instead of every initializer."""
    if isinstance(config, list):
        return [_with_zeros(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _ZEROS if key.endswith("_initializer") and value else _with_zeros(value) for key, value in config.items()
    }


def _in_float32(config: Any) -> Any:
    """Returns a model's configuration, with float32 instead of every lower precision."""
    if isinstance(config, list):
        return [_in_float32(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        policy = config["config"]
        return {**config, "config": {**policy, "name": _FLOAT32_OF.get(policy["name"], policy["name"])}}
    return {
        key: _FLOAT32_OF.get(value, value) if key == "dtype" and isinstance(value, str) else _in_float32(value)
        for key, value in config.items()
    }


def _model(body: keras.Model, label_smoothing: float) -> keras.Sequential:
    height, width, channels = body.input_shape[1:]
    raw = (height, width) if channels == 1 else (height, width, channels)
    model = keras.Sequential([keras.Input(raw, dtype="uint8")])
    if channels == 1:
        model.add(keras.layers.Reshape((height, width, 1)))
    model.add(keras.layers.Rescaling(1 / 255))
    model.add(architectures.with_keras_layers(body))
    if label_smoothing:
        model.add(_without_smoothing(body.output_shape[-1], label_smoothing))
    return model


def _without_smoothing(num_classes: int, label_smoothing: float) -> keras.Model:
    smoothed = keras.Input((num_classes,))
    proba = architectures.remove_label_smoothing(smoothed, label_smoothing)
    return keras.Model(smoothed, proba, name="unsmoothed")


@contextmanager
def float32() -> Iterator[None]:
    """What is built within has this precision."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
