"""A run loaded in Python."""

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_runs import make_run

from digits_ray import RunError, UserError, load_run
from digits_ray.ensemble import Scores
from digits_ray.runs import keras_models


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run, without model files."""
    return Path(make_run(tmp_path_factory.mktemp("runs") / "run", models=False))


def test_a_path_is_taken_as_well_as_its_text(run_path: Path) -> None:
    assert load_run(run_path).member_ids == load_run(str(run_path)).member_ids != []


def test_a_run_knows_its_path(run_path: Path) -> None:
    assert load_run(path=run_path).path == str(run_path)


def test_a_run_that_is_printed_tells_path_networks_and_accuracy(run_path: Path) -> None:
    run = load_run(run_path)
    holdout = run.metrics["ensemble"]["holdout"]
    low, high = (f"{100 * bound:.2f}" for bound in holdout["accuracy_ci95"])
    accuracy = f"{100 * holdout['accuracy']:.2f} % ({low}–{high} %, n = {holdout['rows']})"
    assert repr(run) == f"<Run {run_path}: ensemble of 3: {accuracy}>"


def test_a_run_that_is_printed_tells_no_accuracy_where_there_is_none(tmp_path: Path) -> None:
    unscored = load_run(make_run(tmp_path / "unscored", models=False, split__scheme="none"))
    assert repr(unscored) == f"<Run {tmp_path}/unscored: ensemble of 3>"
    assert unscored.scores is None


def test_a_run_has_the_scores_of_its_ensemble(run_path: Path) -> None:
    run = load_run(run_path)
    holdout = run.metrics["ensemble"]["holdout"]
    assert isinstance(run.scores, Scores)
    assert asdict(run.scores) | {"accuracy_ci95": holdout["accuracy_ci95"]} == {
        name: holdout[name] for name in asdict(run.scores)
    }


def test_the_path_s_earlier_name_still_works_and_warns(run_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match=r"Run\.place is now Run\.path") as caught:
        assert load_run(run_path).place == str(run_path)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 9, 8), np.uint8), r"images of shape \(2, 9, 8\): this run was trained on 8 × 8 pixels. Resize"),
        (np.full((2, 8, 8), -1), "values from -1 to -1. Pixels are 0 to 255"),
        (np.zeros((0, 8, 8), np.uint8), "there is nothing to predict"),
    ],
)
def test_images_that_the_members_cannot_take_are_refused(run_path: Path, images: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_run(run_path).predict(images)


def test_columns_that_the_runs_settings_name_are_no_pixels_of_a_data_frame(tmp_path: Path) -> None:
    settings = {"split.groups": "writer", "data.label": "digit", "data.id": "scan", "data.drop": ["quality"]}
    run = load_run(make_run(tmp_path / "run", members=1, models=False, **settings))
    pixels = pd.DataFrame(np.arange(128, dtype=np.uint8).reshape(2, 64))
    others = pd.DataFrame({"writer": ["a", "b"], "digit": [1, 2], "scan": [5, 6], "quality": [0, 1], "Label": [1, 2]})
    assert np.array_equal(run.check(pd.concat([others, pixels], axis=1)), pixels.to_numpy().reshape(2, 8, 8))


def test_a_keras_that_cannot_be_imported_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As below `ulimit -v`, where TensorFlow finds no memory for its library."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(keras_models.device, "pin_keras", lambda backend: (_ for _ in ()).throw(ImportError("mmap")))
    with pytest.raises(RunError, match=r"^Keras on tensorflow cannot be imported here \(ImportError: mmap \("):
        keras_models.import_keras("tensorflow")


def test_a_script_of_keras_s_name_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python imports what lies beside the script first."""
    (tmp_path / "keras.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "keras", None)  # what is there comes back
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(keras_models.device, "pin_keras", nullcontext)
    with pytest.raises(UserError, match=r"^.*/keras\.py is imported instead of a library\. Rename it\.$"):
        keras_models.import_keras("tensorflow")


def test_the_vote_is_the_mean_of_what_the_members_files_give(tmp_path: Path) -> None:
    import keras

    run = load_run(make_run(tmp_path / "run", members=2))
    files = sorted((tmp_path / "run").glob("members/*/model.keras"))
    altered = keras.saving.load_model(files[1])
    altered.set_weights([weight + 0.1 for weight in altered.get_weights()])
    altered.save(files[1])
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    expected = np.mean([keras.saving.load_model(file).predict(images, verbose=0) for file in files], axis=0)
    told: list[int] = []
    assert np.allclose(run.predict_proba(images, on_rows=told.append), expected, rtol=0, atol=1e-6)
    assert run.predict(images) == expected.argmax(axis=1).tolist()
    assert told == [9]
