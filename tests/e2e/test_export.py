"""`digits-ray export`, and its files opened without digits_ray as the documentation shows it."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from report_runs import make_run

from digits_ray import load_run
from digits_ray.cli.commands import cli
from digits_ray.training import load_float32_model

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
CLASSES, SIDE = 4, 8
FORMATS = {"Keras": "keras", "ONNX": "onnx", "TFLite": "tflite"}
MODULES = {"keras": "keras", "onnx": "onnxruntime", "tflite": "ai_edge_litert"}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of three members with unlike weights; the last one was saved in bfloat16, as release 0.1.0 did."""
    path = make_run(tmp_path_factory.mktemp("runs") / "run", classes=CLASSES, side=SIDE, models=False)
    for number, file in enumerate(sorted(Path(path).glob("members/*/model.keras"))):
        network("mixed_bfloat16" if number == 2 else "float32").save(file)
    return path


def network(precision: str) -> keras.Model:
    """An untrained member."""
    hidden = {"dtype": precision}
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE), dtype="uint8"),
            keras.layers.Reshape((SIDE, SIDE, 1)),
            keras.layers.Rescaling(1 / 64, **hidden),
            keras.layers.Conv2D(6, 3, activation="relu", **hidden),
            keras.layers.BatchNormalization(**hidden),
            keras.layers.Dropout(0.3, **hidden),
            keras.layers.Flatten(**hidden),
            keras.layers.Dense(CLASSES, activation="softmax", dtype="float32"),
        ]
    )


@pytest.mark.parametrize("title", FORMATS)
def test_a_file_gives_the_mean_of_its_members_without_digits_ray(run_path: str, tmp_path: Path, title: str) -> None:
    kind = FORMATS[title]
    pytest.importorskip(MODULES[kind])
    done = CliRunner().invoke(
        cli,
        ["export", run_path, "--format", kind, "--members", "0,2", "--output", str(tmp_path / f"digits.{kind}")],
        catch_exceptions=False,
    )
    assert "the mean of 2 members" in done.output
    assert re.search(
        r"Checked in .* on \d+ held-out rows: largest difference (\de-0[5-9]|0e\+00), \d+ changed", done.output
    ), done.output

    images = np.random.default_rng(0).integers(0, 256, (70, SIDE, SIDE), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    shown = re.findall(rf"## {title}\n.*?```python\n(.*?)```", DOCS.read_text(encoding="utf8"), re.DOTALL)[0]
    assert len([line for line in shown.splitlines() if line]) == 5
    script = (
        f"import numpy, sys\nimages = numpy.load('images.npy')\n{shown}\nnumpy.save('proba.npy', proba)\nprint(labels)"
    )
    used = subprocess.run(
        [sys.executable, "-P", "-c", f"{script}\nassert 'digits_ray' not in sys.modules"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert used.returncode == 0, used.stderr
    models = [load_float32_model(Path(run_path, f"members/00{number}/model.keras").read_bytes()) for number in (0, 2)]
    expected = np.mean([model.predict(images, verbose=0) for model in models], axis=0)
    assert np.allclose(np.load(tmp_path / "proba.npy"), expected, rtol=0, atol=1e-5)
    best = [load_run(run_path).classes[number] for number in expected.argmax(axis=1)]
    assert used.stdout.splitlines()[-1] == str(best)
