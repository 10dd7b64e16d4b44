"""In the middle of training, the disk below the run directory fills up, or that of temporary files is lost."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from commands import ALONE, LIMIT_SECONDS, NO_REPORT, digits_ray, started
from factories import write_kaggle_csv
from gate import NUMPY_MEMBERS_STOP, REAL_MEMBERS_STOP, closed_gate
from waiting import eventually

pytestmark = pytest.mark.chaos

SMALL = [*ALONE, "--preset", "smoke", "--members", 2, "--epochs", 12, "--set", "members.recipe.batch_size=16"]
CHUNK = bytes(4096)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(CHUNK):
                pass
        except OSError:
            return filler


def test_one_line_says_so_and_the_same_command_goes_on_when_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    """The disk below --out is full: real networks."""
    train, out = write_kaggle_csv(tmp_path / "train.csv.gz", labelled=90), small_disk / "run"
    words = ["run", *SMALL, "--train", train, "--out", out]
    with closed_gate():
        driver = started(*words, altered=REAL_MEMBERS_STOP)
        assert eventually(lambda: any(out.glob("members/*/attempts/*/epoch-*.npz")))
        filler = fill(small_disk)
    _, message = driver.communicate(timeout=LIMIT_SECONDS)
    assert driver.returncode == 2, message
    assert "Traceback" not in message, message
    assert "the disk is full. Free some space" in message.splitlines()[-1]
    filler.unlink()
    again = digits_ray(*words, altered=NO_REPORT)
    assert again.returncode == 0, again.stderr
    assert not list(out.rglob("*.part-*"))


def test_temporary_files_that_are_lost_cost_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's folder can neither be used nor deleted any more, as on a disk that has become read-only."""
    train, out = write_kaggle_csv(tmp_path / "train.csv.gz", labelled=90), tmp_path / "run"
    with TemporaryDirectory(dir="/tmp", prefix="d") as folder:  # of a short name, for sockets
        monkeypatch.setenv("RAY_TMPDIR", folder)
        with closed_gate():
            driver = started("run", *SMALL, "--train", train, "--out", out, altered=NUMPY_MEMBERS_STOP)
            assert eventually(lambda: any(out.glob("members/*/attempts/*/epoch-*")))
            Path(folder, "ray").rename(tmp_path / "ray")
            Path(folder, "ray").write_text("a file")
        _, message = driver.communicate(timeout=LIMIT_SECONDS)
    assert driver.returncode == 0, message
    assert "Traceback" not in message, message
    assert json.loads((out / "metrics.json").read_text())["status"] == "done"
