"""`digits-ray run` from files to a submission, and what interruptions cost."""

import csv
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import ALONE, NO_REPORT, digits_ray, files_below, started
from factories import write_kaggle_csv
from gate import HELD_AFTER, REAL_MEMBERS_STOP, closed_gate
from processes import descendants, kill, member_actors

SMALL = [*ALONE, "--preset", "smoke", "--members", 3, "--set", "members.recipe.batch_size=8"]
EPOCHS = ["--epochs", 12]
NEVER = 240  # seconds


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("data")
    train = write_kaggle_csv(folder / "train.csv.gz", labelled=90)
    return train, write_kaggle_csv(folder / "test.csv", labelled=12, with_labels=False, seed=1)


@pytest.fixture(scope="module")
def finished(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    done = digits_ray("run", *SMALL, *EPOCHS, "--train", files[0], "--test", files[1], "--out", out)
    assert done.returncode == 0, done.stderr
    assert "ensemble of 3" in done.stdout
    assert "submission.csv" in done.stdout
    assert "Traceback" not in done.stderr
    assert "(raylet)" not in done.stderr + done.stdout
    return out


def test_the_submission_has_one_row_for_each_test_row(finished: Path) -> None:
    lines = (finished / "submission.csv").read_text().splitlines()
    assert lines[0] == "ImageId,Label"
    assert [line.split(",")[0] for line in lines[1:]] == [str(number) for number in range(1, 13)]
    assert {line.split(",")[1] for line in lines[1:]} <= {"0", "1", "2"}


def test_metrics_hold_the_keys_that_others_read(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["data"] == {"train_rows": 81, "holdout_rows": 9, "test_rows": 12, "classes": 3}
    for member in metrics["members"]:
        keys = {"id", "seed", "architecture", "status", "attempts", "fit_seconds", "holdout"}
        assert keys <= set(member)
        assert member["status"] == "done"
        assert {"accuracy", "nll"} <= set(member["holdout"])
    ensemble = metrics["ensemble"]
    assert ensemble["members_used"] == 3
    assert {"rows", "accuracy", "accuracy_ci95", "nll", "brier", "ece"} <= set(ensemble["holdout"])
    assert metrics["timing"]["wall_seconds"] > 0
    assert metrics["environment"]["ray"]


def test_every_contracted_file_is_there_and_no_unfinished_state(finished: Path) -> None:
    names = set(files_below(finished))
    member = {"spec.json", "history.csv", "predictions.npz", "model.keras", "result.json"}
    run = {"config.yaml", "data.json", "metrics.json", "leaderboard.csv", "submission.csv"}
    run |= {"label_issues.csv", "drawing.json"}
    assert run | {f"members/{number:03d}/{name}" for number in range(3) for name in member} <= names
    assert not [name for name in names if "attempts" in name or ".part-" in name]


def test_the_same_command_again_trains_nothing_and_changes_nothing(files: tuple[Path, Path], finished: Path) -> None:
    before = files_below(finished)
    again = digits_ray("run", *SMALL, *EPOCHS, "--train", files[0], "--test", files[1], "--out", finished)
    assert again.returncode == 0, again.stderr
    assert "ensemble of 3" in again.stdout
    assert "Training" not in again.stderr
    after = files_below(finished)
    trained = {name for name in before if name.startswith("members/") or name == "submission.csv"}
    assert {name: after[name] for name in trained} == {name: before[name] for name in trained}


def test_other_settings_on_the_same_directory_are_refused(files: tuple[Path, Path], finished: Path) -> None:
    before = files_below(finished)
    refused = digits_ray("run", *SMALL, "--epochs", 4, "--train", files[0], "--test", files[1], "--out", finished)
    assert refused.returncode == 2
    assert "members.recipe.epochs is 12 there, 4 here" in refused.stderr
    assert files_below(finished) == before


def test_predict_labels_a_new_file_as_the_run_labelled_its_test_rows(
    files: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    done = digits_ray("predict", finished, "--input", files[1], "--output", tmp_path / "labels.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # none of TensorFlow's own lines
    assert (tmp_path / "labels.csv").read_bytes() == (finished / "submission.csv").read_bytes()


def test_predict_adds_what_a_decision_needs(files: tuple[Path, Path], finished: Path, tmp_path: Path) -> None:
    output, options = tmp_path / "decisions.csv", ("--proba", "--sets", 0.9, "--abstain", 0.005)
    done = digits_ray("predict", finished, "--input", files[1], "--output", output, *options)
    assert done.returncode == 0, done.stderr
    with output.open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["ImageId", "Label", "proba_0", "proba_1", "proba_2", "set"]
    with (finished / "submission.csv").open() as file:
        labels = [line["Label"] for line in csv.DictReader(file)]
    for line, label in zip(lines, labels, strict=True):
        proba = [float(line[f"proba_{name}"]) for name in range(3)]
        assert int(label) == proba.index(max(proba)) and int(label) in json.loads(line["set"])
        assert line["Label"] in ("", label) and sum(proba) == pytest.approx(1, abs=1e-5)


def test_predict_refuses_images_of_another_size(finished: Path, tmp_path: Path) -> None:
    other = write_kaggle_csv(tmp_path / "other.csv", labelled=3, with_labels=False, side=9)
    refused = digits_ray("predict", finished, "--input", other, "--output", tmp_path / "labels.csv")
    assert refused.returncode == 2
    assert "8" in refused.stderr
    assert not (tmp_path / "labels.csv").exists()


# Interruptions of the same run: members stop at a gate, so that they meet them in the middle of their training.


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + NEVER
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def saved_epochs(out: Path) -> list[str]:
    return [path.name for path in out.glob("members/*/attempts/*/epoch-*.npz")]


def results(out: Path) -> dict[str, bytes]:
    """What must be the same, however often the run was interrupted."""
    names = ("submission.csv", "ensemble.npz")
    return {name: (out / name).read_bytes() for name in names}


@pytest.mark.slow
def test_a_killed_driver_costs_no_finished_member_and_changes_no_result(
    files: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    """The driver is killed: real networks."""
    out = tmp_path / "killed"
    command = ["run", *SMALL, *EPOCHS, "--quiet", "--train", files[0], "--test", files[1], "--out", out]
    with closed_gate("all but the first"):
        run = started(*command, altered=REAL_MEMBERS_STOP)
        wait_for(lambda: (out / "submission.csv").exists() and saved_epochs(out))
        orphans = descendants(run.pid)
        kill(run.pid)
        run.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("members/*/result.json")}
    wait_for(lambda: not set(orphans) & set(member_actors(1)))
    again = digits_ray(*command, altered=NO_REPORT)
    assert again.returncode == 0, again.stderr
    assert again.stdout == again.stderr == ""
    assert len(kept) == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert results(out) == results(finished)


@pytest.mark.slow
def test_a_killed_worker_costs_at_most_an_epoch_and_changes_no_result(
    files: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    """A member's process is killed: real networks."""
    out = tmp_path / "worker"
    with closed_gate():
        command = ["run", *SMALL, *EPOCHS, "--train", files[0], "--test", files[1], "--out", out]
        run = started(*command, altered=REAL_MEMBERS_STOP)
        wait_for(lambda: any(f"epoch-00000{HELD_AFTER - 1}" in name for name in saved_epochs(out)))
        for process in member_actors(run.pid):
            kill(process)
    _, errors = run.communicate(timeout=NEVER)
    assert run.returncode == 0, errors
    members = json.loads((out / "metrics.json").read_text())["members"]
    resumed = [member for member in members if member["attempts"] == 2]
    assert resumed
    assert any(member["start_epoch"] >= HELD_AFTER - 1 for member in resumed)
    assert results(out) == results(finished)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_cleanly_and_says_how_to_go_on(
    stop: signal.Signals, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """Ctrl-C and SIGTERM: real networks."""
    command = ["run", *SMALL, *EPOCHS, "--quiet", "--train", files[0], "--test", files[1], "--out", "here"]
    with closed_gate():
        run = started(*command, cwd=tmp_path, altered=REAL_MEMBERS_STOP)
        wait_for(lambda: saved_epochs(tmp_path / "here"))
        below = descendants(run.pid)
        run.send_signal(stop)
        _, errors = run.communicate(timeout=NEVER)
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert "--out here" in errors.splitlines()[-1]
    wait_for(lambda: not [pid for pid in below if Path(f"/proc/{pid}/cmdline").exists() and pid in member_actors(1)])
