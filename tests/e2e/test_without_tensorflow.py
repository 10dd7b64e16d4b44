"""A machine with Keras and JAX alone: everything works but the TensorFlow backend, which says what is missing."""

import json
import os
from pathlib import Path

import pytest
import without_tensorflow
from commands import ALONE, digits_ray
from factories import write_kaggle_csv

pytestmark = pytest.mark.slow
pytest.importorskip("jax")

ON_JAX = ["--set", "members.recipe.backend=jax", "--set", "members.recipe.precision=float32"]
TINY = [*ALONE, "--preset", "smoke", "--members", 1, "--epochs", 1, "--set", "members.recipe.batch_size=16"]


@pytest.fixture(autouse=True)
def tensorflow_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = next(iter(without_tensorflow.__path__))  # the same one several times where pytest has several processes
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ["PYTHONPATH"]]))


def test_a_member_trains_reports_and_predicts_on_jax_alone(tmp_path: Path) -> None:
    train, run = write_kaggle_csv(tmp_path / "train.csv", labelled=90), tmp_path / "run"
    done = digits_ray("run", *TINY, *ON_JAX, "--train", train, "--out", run)
    assert done.returncode == 0, done.stderr
    environment = json.loads((run / "metrics.json").read_text())["environment"]
    assert "tensorflow" not in environment
    assert {"jax", "keras", "ray"} <= set(environment)
    report = (run / "report.html").read_text()
    assert 'figure id="layer_' in report
    assert "Filters and feature maps are missing" not in report
    images = write_kaggle_csv(tmp_path / "test.csv", labelled=12, with_labels=False)
    predicted = digits_ray("predict", run, "--input", images, "--output", tmp_path / "labels.csv")
    assert predicted.returncode == 0, predicted.stderr
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 13


def test_doctor_and_run_name_the_missing_backend_and_both_cures(tmp_path: Path) -> None:
    train = write_kaggle_csv(tmp_path / "train.csv", labelled=90)
    refused = digits_ray("run", *TINY, "--train", train, "--out", tmp_path / "run")
    assert refused.returncode == 2
    assert "members.recipe.backend: no tensorflow here. pip install tensorflow, or use jax." in refused.stderr
    examined = digits_ray("doctor", *ON_JAX, cwd=tmp_path)
    assert examined.returncode == 0, examined.stderr
    assert "tensorflow missing" in examined.stdout
    examined = digits_ray("doctor", cwd=tmp_path)
    assert examined.returncode == 2
    assert "no tensorflow here" in examined.stderr
