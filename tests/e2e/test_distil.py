"""`digits-ray distil` with a real network, killed in the middle."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import NO_REPORT, digits_ray, started
from factories import write_kaggle_csv
from gate import HELD_AFTER, REAL_MEMBERS_STOP, closed_gate
from processes import descendants, kill, member_actors
from report_runs import invented_result, state_at
from waiting import eventually

from digits_ray import data as datasets
from digits_ray.config import DataConfig
from digits_ray.runs.result_files import ResultFiles


def run_that_teaches(folder: Path) -> Path:
    """A finished run of two members on real files, whose networks are real and were never trained."""
    files = DataConfig(
        str(write_kaggle_csv(folder / "train.csv")), str(write_kaggle_csv(folder / "test.csv", 12, False))
    )
    state = state_at(folder / "run", 2, datasets.load(files), data__train=files.train, data__test=files.test)
    for spec in state.inputs.specs:
        state.write_member(invented_result(state, spec, models=True))
    ResultFiles(state).write(final=True)
    state.directory.close()
    return folder / "run"


def saved_epoch(run: Path) -> int:
    """The last epoch that the only member of a run has saved; of each attempt, only the last two are there."""
    files = run.glob("members/000/attempts/*/epoch-*.npz")
    return max((int(file.stem.removeprefix("epoch-")) for file in files), default=0)


@pytest.mark.slow
def test_a_distillation_that_is_killed_goes_on_and_ends_bit_for_bit_as_if_undisturbed(tmp_path: Path) -> None:
    killed = run_that_teaches(tmp_path)
    undisturbed = Path(shutil.copytree(killed, tmp_path / "undisturbed"))
    options = ["--architecture", "compact", "--epochs", 12, "--quiet"]
    done = digits_ray("distil", undisturbed, *options, altered=NO_REPORT)
    assert (done.returncode, done.stderr) == (0, "")

    with closed_gate():
        distillation = started("distil", killed, *options, altered=REAL_MEMBERS_STOP)
        assert eventually(lambda: saved_epoch(killed / "distilled") >= HELD_AFTER - 1)
        orphans = descendants(distillation.pid)
        kill(distillation.pid)
        distillation.wait()
    assert not (killed / "distilled/members/000/result.json").exists()
    assert eventually(lambda: not set(orphans) & set(member_actors(1)))

    again = digits_ray("distil", killed, *options, altered=NO_REPORT)
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads((killed / "distilled/members/000/result.json").read_text())["start_epoch"] >= HELD_AFTER - 1
    for name in ("members/000/predictions.npz", "teachers.npz", "submission.csv"):
        assert (killed / "distilled" / name).read_bytes() == (undisturbed / "distilled" / name).read_bytes()

    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    labels = tmp_path / "labels.csv"
    predicted = digits_ray("predict", killed / "distilled", "--input", tmp_path / "images.npz", "--output", labels)
    assert predicted.stdout == f"{labels}: 2 labels by 1 members.\n"
