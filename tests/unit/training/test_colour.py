"""Members on colour images, where nothing but colour tells the classes apart."""

from dataclasses import replace

import keras
import numpy as np
from factories import CLASSES, rows_of, spec_of

from digits_ray.data import TEST, Rows
from digits_ray.data.rows import random_blocks
from digits_ray.data.streamed_rows import StreamedRows
from digits_ray.training import fit

RECIPE = {"epochs": 15, "learning_rate": 0.003, "precision": "float32"}


def coloured_rows() -> Rows:
    """Rows whose class is the brightest channel alone: the channels together are noise, of equal mean everywhere."""
    rows = rows_of(labelled=240, held_out=60, test=30)
    labels = np.arange(len(rows.labels)) % CLASSES
    labels[240:] = np.arange(30) % CLASSES
    random = np.random.default_rng(0)
    grey = random.integers(60, 180, (*rows.images.shape, 1))
    images = np.repeat(grey, 3, axis=-1) - 20
    images[np.arange(len(images)), ..., labels] += 60
    return replace(rows, images=images.astype(np.uint8))


def truth(rows: Rows) -> np.ndarray:
    return rows.labels[rows.holdout_index(0)]


def test_a_member_learns_what_only_colour_tells() -> None:
    rows = coloured_rows()
    in_colour = fit.fit_member(spec_of(**RECIPE), rows).prediction.holdout_proba
    grey = np.rint(rows.images.mean(axis=-1)).astype(np.uint8)
    in_grey = fit.fit_member(spec_of(**RECIPE), replace(rows, images=grey)).prediction.holdout_proba
    assert (in_colour.argmax(axis=1) == truth(rows)).mean() > 0.95
    assert (in_grey.argmax(axis=1) == truth(rows)).mean() < 0.6


def test_streamed_colour_images_train_to_the_same_numbers() -> None:
    rows = replace(coloured_rows(), blocks=random_blocks(270, 100))
    columns = {"label": rows.labels, "row_id": rows.row_ids, "fold": rows.folds, "block": rows.blocks}
    streamed = StreamedRows(columns, CLASSES, rows.image_shape, lambda number: rows.images[rows.blocks == number])
    spec = spec_of(epochs=2)
    from_memory, from_stream = fit.fit_member(spec, rows), fit.fit_member(spec, streamed)
    assert np.array_equal(from_stream.prediction.test_proba, from_memory.prediction.test_proba)


def test_the_model_file_of_a_colour_member_takes_raw_colour_images(tmp_path) -> None:
    rows = coloured_rows()
    result = fit.fit_member(spec_of(epochs=2), rows)
    (tmp_path / "model.keras").write_bytes(result.model_file)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.input_shape == (None, 8, 8, 3)
    proba = loaded.predict(rows.images[rows.folds == TEST], verbose=0)
    assert np.allclose(proba, result.prediction.test_proba, atol=1e-6)
