"""The estimator with real Ray and real networks, as scikit-learn uses it."""

import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shared_ray
from factories import images_of
from processes import descendants, title
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from digits_ray import EnsembleClassifier, load_run

pytestmark = pytest.mark.slow

PYTHON_PAGE = Path(__file__).parents[2] / "docs" / "python.md"
NAMES = np.array(["bag", "coat", "dress"])
CODES = np.arange(90) % 3
IMAGES, LABELS = images_of(CODES), NAMES[CODES]  # (90, 8, 8) uint8, (90,) text
FLAT = IMAGES.reshape(90, -1)
RECIPE = {"members.recipe.epochs": 12, "members.recipe.batch_size": 16}
PREDICT = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    fitted = pickle.load(file)
np.save(sys.argv[2], fitted.predict_proba(np.load(sys.argv[3])))
assert "ray" not in sys.modules
"""


def estimator(**parameters: Any) -> EnsembleClassifier:
    return EnsembleClassifier(**{"members": 1, "preset": "smoke", "random_state": 0, "settings": RECIPE, **parameters})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directories of all tests: what one has trained, another need not train again."""
    return tmp_path_factory.mktemp("fits")


@contextmanager
def rays_counted() -> Iterator[list[int]]:
    """Gives how many Rays this process and its children ran, ten times a second."""
    counts, ended = [0], threading.Event()

    def count() -> None:
        while not ended.wait(0.1):
            counts.append(sum("gcs_server" in title(child) for child in descendants(os.getpid())))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def test_fits_in_several_processes_start_one_ray_after_another() -> None:
    shared_ray.stop()
    with rays_counted() as counts:
        scores = cross_val_score(estimator(), IMAGES, LABELS, cv=2, n_jobs=2, error_score="raise")
    assert scores.min() > 0.8
    assert max(counts) == 1


@pytest.mark.usefixtures("ray_here")
def test_a_fit_predicts_by_value_without_its_run_directory(tmp_path: Path) -> None:
    fitted = estimator(members=2).fit(IMAGES, LABELS)
    proba = fitted.predict_proba(IMAGES)
    assert fitted.score(IMAGES, LABELS) > 0.9
    assert fitted.metrics_["ensemble"]["members_used"] == 2
    (tmp_path / "fitted.pickle").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "flat.npy", FLAT)
    files = [str(tmp_path / name) for name in ("fitted.pickle", "proba.npy", "flat.npy")]
    subprocess.run([sys.executable, "-c", PREDICT, *files], check=True, timeout=300)
    assert np.allclose(np.load(tmp_path / "proba.npy"), proba, atol=1e-6)


@pytest.mark.usefixtures("ray_here")
def test_out_holds_a_run_that_the_same_fit_goes_on_with(out: Path) -> None:
    first = estimator(out=out).fit(IMAGES, LABELS)
    (folder,) = out.iterdir()
    written = (folder / "members/000/result.json").stat().st_mtime_ns
    again = estimator(out=out).fit(IMAGES, LABELS)
    assert (folder / "members/000/result.json").stat().st_mtime_ns == written
    assert np.array_equal(first.predict_proba(IMAGES), again.predict_proba(IMAGES))
    assert load_run(folder).predict(IMAGES) == first.predict(IMAGES).tolist()
    assert not (folder / "report.html").exists()
    assert not (folder / "baselines").exists()


@pytest.mark.usefixtures("ray_here")
def test_every_row_is_predicted_by_a_fit_that_did_not_see_it(out: Path) -> None:
    predicted = cross_val_predict(estimator(out=out), IMAGES, LABELS, cv=2)
    assert (predicted == LABELS).mean() > 0.8


@pytest.mark.usefixtures("ray_here")
def test_a_search_tries_settings_on_flat_images(out: Path) -> None:
    untrained = RECIPE | {"members.recipe.epochs": 1, "members.recipe.learning_rate": 1e-6}
    search = GridSearchCV(estimator(out=out, image_shape=(8, 8)), {"settings": [untrained, RECIPE]}, cv=2)
    search.fit(FLAT, LABELS)
    assert search.best_params_["settings"] == RECIPE
    assert search.score(FLAT, LABELS) > 0.8


@pytest.mark.usefixtures("ray_here")
def test_probabilities_are_calibrated_on_rows_that_the_fit_did_not_see(out: Path) -> None:
    calibrated = CalibratedClassifierCV(estimator(out=out), cv=2).fit(IMAGES, LABELS)
    assert calibrated.classes_.tolist() == NAMES.tolist()
    assert calibrated.score(IMAGES, LABELS) > 0.8


@pytest.mark.usefixtures("ray_here")
def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    section = PYTHON_PAGE.read_text(encoding="utf8").partition("## As an estimator")[2]
    (example,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    exec(compile(example, str(PYTHON_PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == "(1, 10) True"
