"""What the documentation shows is done: its Python, and the commands that a finished run answers in seconds.

All of it on the same run: two members of the preset `smoke`, on the digits inside scikit-learn as files.
"""

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import digits_ray
from documentation import NAMED, ROOT, blocks, shell_lines

from digits_ray import config as config_package
from digits_ray.config import Config
from digits_ray.runs import run_arguments

pytestmark = pytest.mark.slow

TRAINING = "digits-ray run --train train.csv --test test.csv --out runs/kaggle"  # the line that makes the run
QUICK = [["digits-ray", name] for name in ("presets", "doctor", "status", "predict", "compare")]
WITH_LESS = {"0.999": "0.5"}  # what takes more rows than the run has, and what its rows suffice for
ELSEWHERE = {  # what tells an example that another test runs, and that test
    "runs/arrays": "tests/e2e/test_run_on_arrays.py",
    "EnsembleClassifier(": "tests/cluster/test_estimator.py",
    "def build(": "tests/e2e/test_own_network.py",
    "digits.keras": "tests/e2e/test_export.py",
    "digits.onnx": "tests/e2e/test_export.py",
    "digits.tflite": "tests/e2e/test_export.py",
}
SHOWN = [(page, block) for page in NAMED for block in blocks(page, "python")]
EXAMPLES = [
    pytest.param(block, id=f"{page.name}-{number}")
    for number, (page, block) in enumerate(SHOWN)
    if not any(sign in block for sign in ELSEWHERE)
]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Returns the digits, (1797, 8, 8) uint8."""
    from sklearn.datasets import load_digits

    return (load_digits().images * (255 / 16)).round().astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, images: np.ndarray) -> Path:
    """Where a reader works who has done what the README says, on Kaggle too."""
    folder = tmp_path_factory.mktemp("reader")
    data = folder / "kaggle/input/competitions/digit-recognizer"
    data.mkdir(parents=True)
    _write_csv(data / "train.csv", images[:1400], labelled=True)
    for name in ("test.csv", "images.csv"):
        _write_csv(data / name, images[1400:], labelled=False)
    shutil.copytree(data, folder, dirs_exist_ok=True)
    trained = digits_ray(*shlex.split(TRAINING)[1:], "--preset", "smoke", cwd=folder)
    assert trained.returncode == 0, trained.stderr
    for copy in ("runs/first", "runs/second", "kaggle/working/digits"):
        shutil.copytree(folder / "runs/kaggle", folder / copy)
    shutil.copytree(folder / "runs/first", folder / "runs/kaggle/distilled")  # to predict with, a run like any other
    return folder


def _write_csv(path: Path, images: np.ndarray, labelled: bool) -> None:
    from sklearn.datasets import load_digits

    table = images.reshape(len(images), -1)
    header = [f"pixel{number}" for number in range(table.shape[1])]
    if labelled:
        header, table = ["label", *header], np.column_stack([load_digits().target[: len(images)], table])
    np.savetxt(path, table, "%d", ",", header=",".join(header), comments="")


@pytest.fixture
def reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in the folder, where every preset is `smoke` on the files in it."""
    load_config = config_package.load_config
    quick = {"data.train": "train.csv", "data.test": "test.csv"}

    def load_quick_config(preset: str, flags: dict[str, Any], arrays: bool = False) -> Config:
        return load_config("smoke", flags=quick | flags, arrays=arrays)

    for module in (config_package, run_arguments):
        monkeypatch.setattr(module, "load_config", load_quick_config)
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.usefixtures("reader")
def test_python_that_is_shown_runs(example: str, folder: Path, images: np.ndarray) -> None:
    names: dict[str, Any] = {"images": images, "image": images[0]}
    exec(compile(example.replace("/kaggle/", f"{folder}/kaggle/"), "example", "exec"), names)
    assert "finished" in names or "finished = " not in example  # no error was caught


def test_examples_that_are_not_run_here_are_run_by_the_tests_that_are_named() -> None:
    for sign, test in ELSEWHERE.items():
        pages = {page.name for page, block in SHOWN if sign in block}
        assert pages and all(page in (ROOT / test).read_text() for page in pages)


@pytest.mark.parametrize(
    "line", [line for line in shell_lines() if line.split()[:2] in QUICK and "nets.py" not in line]
)
def test_commands_that_are_shown_and_last_seconds_run(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from digits_ray.cli.main import cli

    monkeypatch.chdir(folder)
    words = [WITH_LESS.get(word, word) for word in shlex.split(line)[1:]]
    assert not cli.main(words, "digits-ray", standalone_mode=False)


def test_the_documentation_shows_the_command_that_makes_the_run() -> None:
    assert TRAINING in shell_lines()
