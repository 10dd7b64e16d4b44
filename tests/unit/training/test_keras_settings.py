"""Keras's settings in the processes that train and predict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINT_SETTINGS = """
import os
from digits_ray.training import device
with device.pin_keras("jax"):
    import keras
from keras.src.backend.config import keras_home
config = keras.config
print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy().name)
print(config.max_epochs(), config.max_steps_per_epoch(), config.is_nnx_enabled())
print(keras_home(), os.environ["KERAS_HOME"])
"""
OTHER_VALUES = {"backend": "torch", "floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}
UNKNOWN_VALUES = {"backend": 7, "floatx": "float8", "epsilon": "small", "image_data_format": "sideways"}


@pytest.mark.parametrize("settings", [OTHER_VALUES, UNKNOWN_VALUES, ["no settings"]], ids=["other", "unknown", "none"])
def test_neither_keras_json_nor_the_environment_changes_the_settings(settings: object, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    unwanted = {"KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    environment = os.environ | unwanted | {"KERAS_HOME": str(tmp_path), "KERAS_NNX_ENABLED": "true"}
    command = [sys.executable, "-c", PRINT_SETTINGS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    pinned = ["jax float32 1e-07 channels_last float32", "None None False"]
    assert done.stdout.splitlines() == [*pinned, f"{tmp_path} {tmp_path}"]


WITHOUT_HOME = """
import pathlib
def expanduser(path):
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.expanduser = expanduser
"""


def test_a_user_without_a_home_can_import_keras() -> None:
    """As in a container that was started under a number which no password file names."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_HOME"}
    script = WITHOUT_HOME + PRINT_SETTINGS.replace(', os.environ["KERAS_HOME"]', "")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[2:] == ["~/.keras"], done.stderr
