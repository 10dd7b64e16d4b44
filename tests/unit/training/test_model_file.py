"""The archive of a trained member."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from factories import rows_of, spec_of

from digits_ray.training import fit


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
