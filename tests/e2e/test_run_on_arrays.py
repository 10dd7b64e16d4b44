"""A run on arrays, as the documentation shows it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import digits_ray

pytestmark = pytest.mark.slow

PYTHON_PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example of the section on arrays was run; `shown` has what it printed."""
    folder = tmp_path_factory.mktemp("arrays")
    example = re.findall(r"## Arrays.*?```python\n(.*?)```", PYTHON_PAGE.read_text(encoding="utf8"), re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder / "shown").write_text(done.stdout)
    return folder


def test_the_example_trains_on_arrays_and_predicts(folder: Path) -> None:
    assert re.fullmatch(r"\[\d\] \(297, 10\)", (folder / "shown").read_text().splitlines()[-1])
    assert (folder / "runs/arrays/submission.csv").read_text().count("\n") == 298


def test_the_command_line_cannot_continue_it_and_says_so(folder: Path) -> None:
    refused = digits_ray("run", "--preset", "smoke", "--no-baselines", "--out", folder / "runs/arrays")
    assert refused.returncode == 2
    assert "this run was trained on arrays. Give them again, in Python" in refused.stderr


def test_the_user_s_keras_settings_change_no_prediction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.datasets import load_digits

    settings = {"backend": "torch", "floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}
    (folder / "keras.json").write_text(json.dumps(settings))
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    images = (load_digits().images * (255 / 16)).round().astype(np.uint8)[1500:]
    np.savez(folder / "test.npz", images=images)
    labels = folder / "labels.csv"
    done = digits_ray("predict", folder / "runs/arrays", "--input", folder / "test.npz", "--output", labels)
    assert done.returncode == 0, done.stderr
    assert labels.read_text() == (folder / "runs/arrays/submission.csv").read_text()
