"""The archive of a trained member."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
from factories import rows_of, spec_of

from digits_ray.training import fit, load_model
from digits_ray.training.model_file import _ZEROS, model_file


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"label_smoothing": 0.1},
        {"label_smoothing": 0.1, "precision": "bfloat16"},
        {"architecture": "deotte"},
        {"architecture": "deotte", "precision": "bfloat16"},
    ],
)
def test_the_model_file_opens_with_keras_alone_and_takes_raw_pixels(tmp_path, recipe) -> None:
    rows = rows_of()
    rows = replace(rows, images=rows.images.repeat(4, axis=1).repeat(4, axis=2))
    result = fit.fit_member(spec_of(**recipe), rows)
    (tmp_path / "model.keras").write_bytes(result.model_file)
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects=None)
    proba = loaded.predict(rows.images[rows.test_index()], verbose=0)
    assert np.allclose(proba, result.prediction.test_proba, atol=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)


def test_a_model_is_loaded_with_its_saved_weights_and_draws_none() -> None:
    result = fit.fit_member(spec_of(epochs=1), rows_of())
    with mock.patch.object(keras.initializers.GlorotUniform, "__call__", side_effect=AssertionError("drawn")):
        loaded = load_model(result.model_file)
    rows = rows_of()
    proba = loaded.predict(rows.images[rows.test_index()], verbose=0)
    assert np.allclose(proba, result.prediction.test_proba, atol=1e-6)


def test_a_full_disk_of_temporary_files_costs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keras.src.saving.saving_lib, "open", full, raising=False)
    assert model_file(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]))


def test_tflite_converts_a_model_trained_in_bfloat16(tmp_path) -> None:
    import tensorflow as tf

    rows = rows_of()
    result = fit.fit_member(spec_of(precision="bfloat16", epochs=1), rows)
    (tmp_path / "model.keras").write_bytes(result.model_file)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert result.precision == "mixed_bfloat16"
    assert loaded.get_layer("compact").layers[0].dtype_policy.name == "float32"
    interpreter = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(loaded).convert())
    interpreter.allocate_tensors()
    first = rows.images[rows.test_index()[:1]]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], first)
    interpreter.invoke()
    proba = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.allclose(proba, result.prediction.test_proba[:1], atol=1e-5)


def test_first_weights_are_the_zeros_that_keras_itself_would_write() -> None:
    assert keras.initializers.serialize(keras.initializers.Zeros()) == _ZEROS
    assert isinstance(keras.initializers.deserialize(_ZEROS), keras.initializers.Zeros)


def test_a_model_is_opened_on_jax_without_tensorflow_which_takes_seconds_to_import(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    Path(tmp_path, "model.keras").write_bytes(model_file(model))
    code = (
        "import pathlib, sys\n"
        "from digits_ray.training import device\n"
        "device.claim(device.DeviceResources(threads=1, backend='jax'))\n"
        "from digits_ray.training import load_model\n"
        "load_model(pathlib.Path(sys.argv[1], 'model.keras').read_bytes())\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
