"""A run with a network of the user's own beside a built-in one: continued, refused, predicted with."""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from commands import ALONE, NO_REPORT, digits_ray
from factories import write_kaggle_csv

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "your-own-network.md"
OWN_LAYER = """

class Scaled(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def own(height, width, channels, classes):
    return [Scaled(2.0), layers.Flatten(), layers.Dense(classes, activation="softmax")]
"""
RUN = [
    "run",
    *ALONE,
    "--preset",
    "smoke",
    "--epochs",
    "1",
    "--train",
    "train.csv",
    "--test",
    "test.csv",
    "--out",
    "out",
]
ARCHITECTURES = ["--architecture", "nets.py:build", "--architecture", "compact", "--architecture", "nets.py:own"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the network of the documentation, a built-in one and one with a layer of its own were trained."""
    folder = tmp_path_factory.mktemp("own")
    write_kaggle_csv(folder / "train.csv", labelled=60)
    write_kaggle_csv(folder / "test.csv", labelled=12, with_labels=False, seed=1)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf8"), re.DOTALL)
    (folder / "nets.py").write_text(example + OWN_LAYER)
    done = digits_ray(*RUN, "--members", "3", *ARCHITECTURES, cwd=folder, altered=NO_REPORT)
    assert done.returncode == 0, done.stderr
    assert "digits-ray predict out" in done.stdout and "--architecture nets.py:build" in done.stdout
    return folder


def test_the_file_is_copied_and_its_content_is_in_the_specs(folder: Path) -> None:
    source = (folder / "nets.py").read_bytes()
    (copy,) = (folder / "out").rglob("nets.py")
    assert copy.read_bytes() == source
    specs = [json.loads((folder / f"out/members/00{number}/spec.json").read_text()) for number in range(3)]
    key = sha256(source).hexdigest()
    assert [spec["architecture"] for spec in specs] == [f"nets.py:build@{key}", "compact", f"nets.py:own@{key}"]
    members = json.loads((folder / "out/metrics.json").read_text())["members"]
    assert [member["architecture"] for member in members] == ["nets.py:build", "compact", "nets.py:own"]


def test_the_renamed_file_continues_the_run_and_the_changed_one_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "moved").mkdir()
    (tmp_path / "nets.py").rename(tmp_path / "moved" / "mine.py")
    finished = {path: path.read_bytes() for path in (tmp_path / "out/members").rglob("result.json")}
    moved = [word.replace("nets.py", "moved/mine.py") for word in ARCHITECTURES]
    enlarged = digits_ray(*RUN, "--members", "4", *moved, cwd=tmp_path, altered=NO_REPORT)
    assert enlarged.returncode == 0, enlarged.stderr
    assert all(path.read_bytes() == content for path, content in finished.items())
    assert json.loads((tmp_path / "out/metrics.json").read_text())["ensemble"]["members_used"] == 4
    with (tmp_path / "moved" / "mine.py").open("a") as file:
        file.write("# another comment\n")
    files = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    refused = digits_ray(*RUN, "--members", "5", *moved, cwd=tmp_path)
    assert refused.returncode == 2
    assert "moved/mine.py has changed since" in refused.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == files


def test_layers_of_its_own_are_predicted_with_where_the_file_is_given_and_by_no_copy(folder: Path) -> None:
    predict = ["predict", "out", "--input", "test.csv", "--output", "labels.csv"]
    refused = digits_ray(*predict, cwd=folder)
    assert refused.returncode == 2
    assert "a layer or function of its own, 'Scaled'. Give its file too: --architecture" in refused.stderr
    assert not (folder / "labels.csv").exists()
    done = digits_ray(*predict, "--architecture", "nets.py:own", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "labels.csv").read_text() == (folder / "out/submission.csv").read_text()


def test_a_network_that_gives_logits_is_refused_before_anything_is_written(folder: Path) -> None:
    logits = "from keras import layers\n\n\ndef build(h, w, c, n):\n    return [layers.Flatten(), layers.Dense(n)]\n"
    (folder / "logits.py").write_text(logits)
    words = [word if word != "out" else "refused" for word in RUN]
    refused = digits_ray(*words, "--architecture", "logits.py:build", cwd=folder)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("digits-ray: ")]
    assert line.startswith("digits-ray: logits.py:4, in build: the outputs of an image sum to")
    assert line.endswith("Add a softmax: end with Dense(classes, activation='softmax').")
    assert not (folder / "refused").exists()
