"""The head of a cluster dies, with its control service; later there is a new one."""

import json
from pathlib import Path

import pytest
from commands import ALONE, LIMIT_SECONDS, digits_ray, started
from factories import write_kaggle_csv
from gate import REAL_MEMBERS_STOP, closed_gate
from nodes import kill_head, unjoined_cluster
from waiting import eventually

pytestmark = pytest.mark.chaos

SMALL = [*ALONE, "--preset", "smoke", "--members", 2, "--epochs", 12, "--set", "members.recipe.batch_size=16"]
SOONER = {"digits_ray.scheduling.session:HEAD_SECONDS": 5, "report": False}
ONE_CPU = {"num_cpus": 1}


@pytest.mark.timeout(900)
def test_the_run_ends_with_one_line_and_the_same_command_goes_on_on_a_new_head(tmp_path: Path) -> None:
    """The head dies: real networks."""
    train = write_kaggle_csv(tmp_path / "train.csv.gz", labelled=90)
    words = ["run", *SMALL, "--train", train, "--out", tmp_path / "run"]
    done = tmp_path / "run/members/000/result.json"
    with unjoined_cluster(ONE_CPU) as first, closed_gate("all but the first"):
        driver = started(*words, "--address", first.address, altered=SOONER | REAL_MEMBERS_STOP)
        assert eventually(lambda: done.exists() and saved_epochs(tmp_path / "run").get(1))
        kill_head(first)
        _, message = driver.communicate(timeout=LIMIT_SECONDS)
        assert driver.returncode == 1, message
        assert "Traceback" not in message, message
        assert "the same command" in message.splitlines()[-1], message
    finished, saved = done.stat().st_mtime_ns, saved_epochs(tmp_path / "run")
    assert saved
    with unjoined_cluster(ONE_CPU) as second:
        again = digits_ray(*words, "--address", second.address, altered=SOONER)
    assert again.returncode == 0, again.stderr
    calm = digits_ray(*words[:-1], tmp_path / "calm", "--cpus-per-member", 1, altered=SOONER)
    assert calm.returncode == 0, calm.stderr
    assert (tmp_path / "run/ensemble.npz").read_bytes() == (tmp_path / "calm/ensemble.npz").read_bytes()
    assert "finished already" in again.stderr
    assert done.stat().st_mtime_ns == finished
    members = json.loads((tmp_path / "run/metrics.json").read_text())["members"]
    assert all(members[number]["start_epoch"] >= epoch for number, epoch in saved.items())


def saved_epochs(out: Path) -> dict[int, int]:
    """The last saved epoch of each unfinished member."""
    files = sorted(out.glob("members/*/attempts/*/epoch-*.npz"), key=lambda path: path.stem)
    return {int(path.parts[-4]): int(path.stem.removeprefix("epoch-")) for path in files}


@pytest.mark.timeout(600)
def test_a_search_ends_with_one_line_too_and_keeps_its_trials(tmp_path: Path) -> None:
    train = write_kaggle_csv(tmp_path / "train.csv.gz", labelled=30_000)
    trials = tmp_path / "run/baselines"
    with unjoined_cluster(ONE_CPU) as cluster:
        driver = started(
            "tune", "--train", train, "--out", tmp_path / "run", "--address", cluster.address, altered=SOONER
        )
        assert eventually(lambda: any(trials.glob("*/trials/*.json")))
        kill_head(cluster)
        _, message = driver.communicate(timeout=LIMIT_SECONDS)
    assert driver.returncode == 1, message
    assert "Traceback" not in message, message
    assert "the same command" in message.splitlines()[-1], message
    assert any(trials.glob("*/trials/*.json"))
