"""What the user can put right ends in one clear line, exit code 2, and nothing half-written."""

import os
from pathlib import Path

import pytest
from commands import ALONE, digits_ray
from factories import write_kaggle_csv

pytestmark = pytest.mark.slow

CASES = {
    "a missing file": (["--train", "nowhere.csv"], "nowhere.csv"),
    "a folder": (["--train", "."], "folder"),
    "an unknown preset": (["--preset", "fats"], "Did you mean 'fast'?"),
    "an unknown setting": (["--set", "members.recipe.epoch=2"], "Did you mean 'epochs'?"),
    "an unknown architecture": (["--set", "members.architectures=[notebok]"], "Did you mean 'notebook'?"),
    "an unknown flag": (["--memebrs", "2"], "--members"),
    "no members": (["--members", "0"], "--members"),
    "half a member": (["--members", "1.5"], "--members"),
    "one and a half GPUs": (["--gpus-per-member", "1.5"], "above 1, Ray gives whole GPUs"),
    "a GPU where there is none": (["--gpus-per-member", "0.5"], "Use --gpus-per-member 0"),
    "more CPUs than there are": (["--cpus-per-member", "4000"], "--cpus-per-member"),
    "no number of GPUs": (["--gpus-per-member", "many"], "--gpus-per-member"),
    "a test without a train": (["--test", "test.csv"], "--train"),
    "an architecture too large for the images": (
        ["--train", "train.csv", "--set", "members.architectures=[deotte]"],
        "25 pixels",
    ),
    "a cluster that is not there": (["--address", "127.0.0.1:1"], "--address"),
}


@pytest.mark.parametrize(("words", "expected"), CASES.values(), ids=list(CASES))
def test_it_is_refused_in_one_line(words: list[str], expected: str, tmp_path: Path) -> None:
    write_kaggle_csv(tmp_path / "train.csv")
    refused = digits_ray("run", *ALONE, *words, "--out", "out", cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    message = refused.stderr.strip().splitlines()[-1]
    assert message.startswith("digits-ray: ")
    assert expected in message
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() != 0 and not os.access("/proc", os.W_OK), reason="needs a place nobody may write")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    write_kaggle_csv(tmp_path / "train.csv")
    refused = digits_ray("run", *ALONE, "--preset", "smoke", "--train", tmp_path / "train.csv", "--out", "/proc/run")
    assert refused.returncode == 2
    assert "Choose another folder" in refused.stderr
    assert "Traceback" not in refused.stderr
