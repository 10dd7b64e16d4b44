"""A whole run whose directory and data lie on S3."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from commands import LIMIT_SECONDS, NO_REPORT, NUMPY_MEMBERS, digits_ray, started
from factories import write_kaggle_csv
from gate import NUMPY_MEMBERS_STOP, REAL_MEMBERS_STOP, close_gate, closed_gate, open_gate
from processes import kill, member_actors
from s3_server import BUCKET, S3, answers
from waiting import alive, eventually

pytestmark = pytest.mark.slow

RUN = f"s3://{BUCKET}/deep/first"
OUTAGE_SECONDS = 8  # longer than a member tries to save an epoch
OFTEN_RENEWED = {"digits_ray.storage.lease:RENEW_SECONDS": 0.5, "digits_ray.storage.lease:POLL_SECONDS": 0.2}
SHORT_LEASE = {**OFTEN_RENEWED, "digits_ray.storage.lease:EXPIRY_SECONDS": 5.0}
SMALL = ["--preset", "smoke", "--epochs", 12, "--set", "members.recipe.batch_size=16"]


@pytest.fixture(scope="module")
def command(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("data")
    train = write_kaggle_csv(folder / "train.csv.gz", labelled=90)
    test = write_kaggle_csv(folder / "test.csv", labelled=12, with_labels=False, seed=1)
    uris = [s3.put(f"data/{path.name}", path.read_bytes()) for path in (train, test)]
    return ["run", *SMALL, "--train", uris[0], "--test", uris[1]]


@pytest.fixture(scope="module")
def finished(s3: S3, command: list[object]) -> str:
    done = digits_ray(*command, "--out", RUN)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def below(s3: S3, place: str) -> set[str]:
    prefix = place.removeprefix(f"s3://{BUCKET}/") + "/"
    return {name.removeprefix(prefix) for name in s3.names if name.startswith(prefix)}


def content(s3: S3, name: str) -> bytes:
    return s3.get(f"deep/first/{name}")


def test_all_files_of_the_run_are_there_and_nothing_else(s3: S3, finished: str) -> None:
    names = below(s3, RUN)
    for member in ("000", "001"):
        files = ("spec.json", "history.csv", "predictions.npz", "model.keras", "result.json")
        assert {f"members/{member}/{file}" for file in files} <= names
    for kind in ("knn", "tree", "forest"):
        assert {f"baselines/{kind}/{file}" for file in ("trials.csv", "predictions.npz", "result.json")} <= names
    assert {"submission.csv", "metrics.json", "leaderboard.csv", "report.html", "ensemble.npz"} <= names
    assert not [name for name in names if "attempts" in name or "/trials/" in name or "tune" in name]
    assert f"{RUN}/submission.csv" in finished


def test_the_submission_labels_every_test_row(s3: S3, finished: str) -> None:
    lines = content(s3, "submission.csv").decode().splitlines()
    assert lines[0] == "ImageId,Label"
    assert len(lines) == 13
    assert all(member["status"] == "done" for member in json.loads(content(s3, "metrics.json"))["members"])


def test_the_same_command_again_trains_nothing(s3: S3, finished: str, command: list[object]) -> None:
    before = {name: content(s3, name) for name in below(s3, RUN)}
    again = digits_ray(*command, "--out", RUN)
    assert again.returncode == 0, again.stderr
    after = {name: content(s3, name) for name in below(s3, RUN)}
    assert set(after) == set(before)
    changed = {name for name in after if after[name] != before[name]}
    assert not [name for name in changed if name.startswith(("members/", "baselines/"))]
    assert after["submission.csv"] == before["submission.csv"]


def test_other_settings_in_the_same_place_are_refused(s3: S3, finished: str, command: list[object]) -> None:
    refused = digits_ray(*command, "--out", RUN, "--seed", 5)
    assert refused.returncode == 2
    assert f"{RUN} holds another run: seed is 0 there, 5 here" in refused.stderr


def test_report_and_predict_take_the_run_by_its_uri(s3: S3, finished: str, tmp_path: Path) -> None:
    s3.client.delete_object(Bucket=BUCKET, Key="deep/first/report.html")
    place = f"{RUN}?endpoint_override={s3.endpoint}"
    drawn = digits_ray("report", place)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.strip() == f"{RUN}/report.html?endpoint_override={s3.endpoint}"
    assert b"<html" in content(s3, "report.html")
    output = f"s3://{BUCKET}/labels/new.csv"
    predicted = digits_ray("predict", RUN, "--input", f"s3://{BUCKET}/data/test.csv", "--output", output)
    assert predicted.returncode == 0, predicted.stderr
    labels = s3.get("labels/new.csv")
    assert len(labels.splitlines()) == 13


def test_a_running_run_is_left_alone_and_a_killed_one_goes_on_by_the_same_command(
    s3: S3, command: list[object]
) -> None:
    words = [*command, "--no-baselines", "--out", f"s3://{BUCKET}/killed"]
    with closed_gate():
        first = started(*words, altered=NUMPY_MEMBERS_STOP | OFTEN_RENEWED)
        try:
            assert eventually(lambda: any("attempts" in name for name in below(s3, f"s3://{BUCKET}/killed")))
            refused = digits_ray(*words, altered=OFTEN_RENEWED)
            assert refused.returncode == 2
            assert f"another digits-ray run is writing here (process {first.pid} on" in refused.stderr
            orphans = member_actors(first.pid)
        finally:
            kill(first.pid)
            first.communicate()
    assert eventually(lambda: not any(alive(pid) for pid in orphans))
    again = digits_ray(*words, altered=NUMPY_MEMBERS | SHORT_LEASE)
    assert again.returncode == 0, again.stderr
    assert f"process {first.pid} on" in again.stderr
    assert "may still be writing" in again.stderr
    assert not [name for name in below(s3, f"s3://{BUCKET}/killed") if "attempts" in name or name == ".lease"]


def test_a_storage_that_fails_for_a_while_in_the_middle_of_a_run_changes_nothing(
    s3: S3, finished: str, command: list[object]
) -> None:
    """S3 fails for a while: real networks."""
    words = [*command, "--no-baselines", "--quiet", "--out", f"s3://{BUCKET}/outage"]
    close_gate()
    run = started(*words, altered=REAL_MEMBERS_STOP)
    try:
        assert eventually(lambda: any("attempts" in name for name in below(s3, f"s3://{BUCKET}/outage")))
        with s3.failing(answers("503 Slow Down", "SlowDown")):
            open_gate()
            time.sleep(OUTAGE_SECONDS)
            assert any("attempts" in request for request in s3.failed)
        _, errors = run.communicate(timeout=LIMIT_SECONDS)
    finally:
        open_gate()
        run.kill()
    assert run.returncode == 0, errors
    for member in ("000", "001"):
        name = f"members/{member}/predictions.npz"
        disturbed, calm = np.load(io.BytesIO(s3.get(f"outage/{name}"))), np.load(io.BytesIO(content(s3, name)))
        np.testing.assert_array_equal(disturbed["test_proba"], calm["test_proba"])


def test_the_runs_predictions_are_those_of_a_local_run(
    s3: S3,
    finished: str,
    command: list[object],
    tmp_path: Path,
) -> None:
    here = digits_ray(*command, "--no-baselines", "--quiet", "--out", tmp_path / "run", altered=NO_REPORT)
    assert here.returncode == 0, here.stderr
    local = np.load(tmp_path / "run" / "members" / "001" / "predictions.npz")
    remote = np.load(io.BytesIO(content(s3, "members/001/predictions.npz")))
    np.testing.assert_array_equal(local["test_proba"], remote["test_proba"])
