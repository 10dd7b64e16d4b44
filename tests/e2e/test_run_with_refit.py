"""A run that is killed while its members are trained once more on all rows."""

import json
from pathlib import Path

import pytest
from commands import ALONE, NUMPY_MEMBERS, digits_ray, started
from factories import write_kaggle_csv
from gate import HELD_AFTER, NUMPY_MEMBERS_STOP, closed_gate
from processes import descendants, kill, member_actors
from waiting import eventually

OPTIONS = [*ALONE, "--quiet", "--preset", "smoke", "--members", 2, "--epochs", 8, "--refit-on-all"]
FOLDS = ["--set", "split.scheme=kfold", "--set", "split.folds=2"]


@pytest.mark.slow
def test_a_driver_that_is_killed_in_a_refit_goes_on_there_and_changes_no_result(tmp_path: Path) -> None:
    train = write_kaggle_csv(tmp_path / "train.csv", labelled=90)
    test = write_kaggle_csv(tmp_path / "test.csv", labelled=12, with_labels=False, seed=1)
    command = ["run", *OPTIONS, *FOLDS, "--train", train, "--test", test, "--out"]
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "killed"
    done = digits_ray(*command, undisturbed, altered=NUMPY_MEMBERS)
    assert (done.returncode, done.stderr) == (0, "")

    with closed_gate("refits"):
        run = started(*command, out, altered=NUMPY_MEMBERS_STOP)
        assert eventually(lambda: list(out.glob(f"members/*/refit/attempts/*/epoch-00000{HELD_AFTER}.npz")))
        orphans = descendants(run.pid)
        kill(run.pid)
        run.wait()
    first = {path: path.stat().st_mtime_ns for path in out.glob("members/*/result.json")}
    assert len(first) == 2
    assert json.loads((out / "metrics.json").read_text())["status"] == "running"
    assert eventually(lambda: not set(orphans) & set(member_actors(1)))

    again = digits_ray(*command, out, altered=NUMPY_MEMBERS)
    assert (again.returncode, again.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in first} == first
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["ensemble"]["refitted"] == [0, 1]
    assert max(member["refit"]["start_epoch"] for member in metrics["members"]) >= HELD_AFTER
    assert not list(out.glob("members/*/refit/attempts/*/*"))
    for name in ("submission.csv", "ensemble.npz"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
