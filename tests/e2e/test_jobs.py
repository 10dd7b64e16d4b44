"""Runs on a cluster that someone else started, through Ray Jobs.

The jobs' packages are those of this machine: installing TensorFlow anew takes minutes and the internet. What a bare
cluster installs is checked in tests/unit/test_submit.py.
"""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import ALONE, COMMAND, LIMIT_SECONDS
from factories import write_kaggle_csv
from ray_head import RAY, Head, ray_head

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ["--packages", "none", "--runtime-env", "env.yaml"]
SMALL = [*ALONE, "--preset", "smoke", "--set", "members.recipe.batch_size=16", *ENVIRONMENT]


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head() as head:
        yield head


@pytest.fixture(scope="module")
def here(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a user with data."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "env.yaml").write_text(yaml.safe_dump({"env_vars": head.env_vars()}))
    write_kaggle_csv(folder / "train.csv.gz", labelled=90)
    write_kaggle_csv(folder / "test.csv", labelled=12, with_labels=False, seed=1)
    return folder


def digits_ray(head: Head, *words: object, cwd: Path | None = None, **environment: str) -> Any:
    texts = [str(word) for word in words]
    return subprocess.run(
        [*COMMAND, *texts, "--address", head.address],
        cwd=cwd,
        env=head.environment() | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


@pytest.mark.slow
def test_the_command_of_the_smoke_job_works_as_it_is_printed(submitted: str, head: Head, tmp_path: Path) -> None:
    """After another job: `ray job submit` gives a head that has just started ten seconds, and then fails."""
    command = next(line for line in (ROOT / "jobs" / "smoke.py").read_text().splitlines() if line.startswith("ray job"))
    words = shlex.split(command)
    printed = words[words.index("--runtime-env") + 1]
    runtime_env = yaml.safe_load((ROOT / printed).read_text())
    del runtime_env["pip"]  # the packages are there
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(runtime_env | {"env_vars": head.env_vars()}))
    words[:3] = [RAY, "job", "submit", "--address", head.address]
    words[words.index(printed)] = str(tmp_path / "env.yaml")
    out = head.home / "smoke"
    done = subprocess.run(
        [*words, *ALONE, "--out", out], cwd=ROOT, env=head.environment(), capture_output=True, text=True,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ensemble of 2" in done.stdout
    assert len(json.loads((out / "metrics.json").read_text())["members"]) == 2


@pytest.fixture(scope="module")
def submitted(head: Head, here: Path) -> str:
    done = digits_ray(
        head, "submit", *SMALL, "--train", "train.csv.gz", "--test", "test.csv", "--out", "first", cwd=here
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


def test_submit_trains_on_uploaded_data_and_fetches_what_people_open(submitted: str, head: Head, here: Path) -> None:
    there = head.home / "digits-ray" / "first"
    names = {"submission.csv", "report.html", "metrics.json", "leaderboard.csv", "label_issues.csv"}
    assert {path.name for path in (here / "first").iterdir()} == names
    assert all((here / "first" / name).read_bytes() == (there / name).read_bytes() for name in names)
    assert len((here / "first" / "submission.csv").read_text().splitlines()) == 1 + 12
    assert (there / "members" / "001" / "model.keras").exists()


def test_submit_tells_each_step_in_plain_lines(submitted: str) -> None:
    for told in (
        "the code, train.csv.gz, test.csv",
        "Ctrl-C leaves it running",
        "Training 2 of 2 members",
        "ensemble of 2",
        "Fetched to first: submission.csv",
        "The whole run directory: ~/digits-ray/first on node",
    ):
        assert told in submitted
    for noise in ("Traceback", "\x1b", "INFO", "WARNING", "Running entrypoint"):
        assert noise not in submitted


@pytest.mark.slow
def test_submitted_again_without_waiting_it_trains_nothing_and_can_be_attached_to(
    submitted: str, head: Head, here: Path
) -> None:
    files = ["--train", "train.csv.gz", "--test", "test.csv"]
    job = digits_ray(head, "submit", *SMALL, *files, "--out", "first", "--no-wait", cwd=here)
    assert job.returncode == 0, job.stderr
    assert len(job.stdout.split()) == 1
    again = digits_ray(head, "attach", job.stdout.strip(), cwd=here)
    assert again.returncode == 0, again.stderr
    assert "ensemble of 2" in again.stdout
    assert "Training" not in again.stdout
    assert "Fetched to first" in again.stderr


@pytest.mark.slow
def test_what_only_the_cluster_can_refuse_ends_with_exit_code_2(head: Head, here: Path) -> None:
    refused = digits_ray(head, "submit", *SMALL, "--gpus-per-member", 8, "--out", "refused", cwd=here)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "no GPU was found" in refused.stdout, refused.stderr
    assert not (here / "refused").exists()


@pytest.mark.slow
def test_ctrl_c_leaves_the_job_running_and_a_stopped_job_exits_with_130(head: Head, here: Path) -> None:
    long = ["--epochs", 100_000, "--out", "long"]
    job = digits_ray(head, "submit", *SMALL, *long, "--no-wait", cwd=here).stdout.strip()
    follower = attached(head, job, here)
    wait_for_line(follower, "Training 2 of 2 members")
    follower.send_signal(signal.SIGINT)
    _, told = follower.communicate(timeout=LIMIT_SECONDS)
    assert follower.returncode == 130
    assert f"digits-ray attach {job} --address {head.address}" in told
    assert "Traceback" not in told
    follower = attached(head, job, here)
    wait_for_line(follower, "Training 2 of 2 members")
    subprocess.run(
        told.splitlines()[-1].replace("ray", RAY, 1).split(), env=head.environment(), check=True, capture_output=True
    )
    shown, told = follower.communicate(timeout=LIMIT_SECONDS)
    assert follower.returncode == 130
    assert "go on from their last saved epoch when the same is submitted again" in shown
    assert "the same command, with --out long" in told
    assert not (here / "long").exists()  # no member was finished: there is nothing to fetch


def attached(head: Head, job: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", *COMMAND[1:], "attach", job, "--address", head.address],
        cwd=cwd,
        env=head.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"never told: {text}"


REFUSALS = {
    "another token": (["attach", "x"], {"RAY_AUTH_TOKEN": "f" * 64}, "the cluster has another token"),
    "no token": (["attach", "x"], {"RAY_AUTH_MODE": "", "RAY_AUTH_TOKEN": ""}, "the cluster wants a token"),
    "an unknown job": (["attach", "x"], {}, "no job x there"),
    "no dashboard": (["attach", "x", "--address", "http://127.0.0.1:1"], {}, "no Ray dashboard answers"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("words", "environment", "told"), REFUSALS.values(), ids=list(REFUSALS))
def test_it_is_refused_in_one_line(head: Head, words: list[str], environment: dict[str, str], told: str) -> None:
    command = [*COMMAND, words[0], words[1], "--address", head.address, *words[2:]]  # the last address counts
    refused = subprocess.run(
        command, env=head.environment() | environment, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert refused.returncode == 2, refused.stderr
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
    assert told in refused.stderr
