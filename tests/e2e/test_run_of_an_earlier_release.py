"""The commands of this release on a run directory of release 0.1.0."""

import csv
import json
from pathlib import Path

from commands import digits_ray, files_below
from old_runs import SETTINGS, unpacked

RUN = ["run", "--preset", "smoke", "--train", "train.npz", "--test", "test.npz", "--out", "run"]
RUN += ["--members", "2", "--epochs", "12", "--cpus-per-member", "2"]
RUN += [word for setting in SETTINGS for word in ("--set", setting)]


def test_an_old_run_is_continued_reported_on_and_predicted_with(tmp_path: Path) -> None:
    run, finished = unpacked(tmp_path), ("members/000/", "baselines/")
    before = {name: content for name, content in files_below(run).items() if name.startswith(finished)}

    continued = digits_ray(*RUN, cwd=tmp_path)
    assert continued.returncode == 0, continued.stderr
    assert "Training 1 of 2 members (1 are finished already)" in continued.stderr
    after = files_below(run)
    assert {name: after[name] for name in before} == before  # neither trained nor searched again

    result = json.loads(after["members/001/result.json"])
    assert (result["start_epoch"], result["epochs"], result["notes"]) == (11, 12, [])
    assert len(after["members/001/history.csv"].splitlines()) == 1 + 12
    metrics = json.loads(after["metrics.json"])
    assert metrics["status"] == "done"
    assert [member["status"] for member in metrics["members"]] == ["done", "done"]
    assert {kind: found["status"] for kind, found in metrics["baselines"].items()} == dict.fromkeys(
        ("knn", "tree", "forest"), "done"
    )

    status = digits_ray("status", run)
    assert "2 of 2 done" in status.stdout, status.stderr
    report = digits_ray("report", run)
    assert report.returncode == 0, report.stderr
    assert b"could not be opened" not in (run / "report.html").read_bytes()
    predicted = digits_ray("predict", run, "--input", tmp_path / "test.npz", "--output", tmp_path / "labels.csv")
    assert predicted.returncode == 0, predicted.stderr
    assert (tmp_path / "labels.csv").read_bytes() == (run / "submission.csv").read_bytes()
    with (tmp_path / "labels.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 40
