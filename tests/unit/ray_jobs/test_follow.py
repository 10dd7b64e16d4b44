"""Following a job: its log is printed once, and its end becomes an exit code."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from ray.job_submission import JobStatus

from digits_ray.errors import RunError, UserError
from digits_ray.ray_jobs import follow
from digits_ray.ray_jobs.follow import JobFollower, exit_code

PIP_FAILED = """Failed to set up runtime environment.
Could not create the actor because its associated runtime env failed to be created.
subprocess.CalledProcessError: Run cmd[2] failed with the following details.
Command 'pip install -r requirements.txt' returned non-zero exit status 1.
    ERROR: Could not find a version that satisfies the requirement tensorflow>=99 (from versions: 2.20.0, 2.21.0)
    ERROR: No matching distribution found for tensorflow>=99
"""


def job_of(status: str, code: int | None = None, message: str | None = None, **labels: str) -> Any:
    return SimpleNamespace(
        status=JobStatus(status), driver_exit_code=code, message=message, metadata=labels, driver_info=None,
        driver_node_id="node", submission_id="job",
    )  # fmt: skip


class Dashboard:
    """Stands in for a cluster's: serves a job's log in pieces; breaks off at None, is silent at ""."""

    address = "http://127.0.0.1:8265"

    def __init__(self, readings: list[list[str | None]], end: Any, files: dict[str, bytes] | None = None) -> None:
        self.readings, self.end, self.files = readings, end, files or {}

    async def log(self, job_id: str) -> AsyncIterator[str]:
        for piece in self.readings.pop(0) if self.readings else [None]:
            if piece is None:
                raise ConnectionError
            if not piece:
                await asyncio.sleep(3600)
            yield piece

    def job(self, job_id: str) -> Any:
        if self.end is None:
            raise UserError("no answer")
        return job_of("RUNNING") if self.readings else self.end

    def file(self, node_id: str, name: str) -> bytes | None:
        assert node_id == "node"
        return self.files.get(name)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0)


def followed(dashboard: Dashboard) -> tuple[int, str, list[str]]:
    log: list[str] = []
    lines: list[str] = []
    code = JobFollower(dashboard, "job", log.append, lines.append).follow()  # type: ignore[arg-type]
    return code, "".join(log), lines


def test_a_broken_connection_is_made_again_and_no_line_is_printed_twice() -> None:
    readings = [["one\ntwo\n", None], ["one\n", None], ["one\n", "two\nthr", "ee\n"]]
    assert followed(Dashboard(readings, job_of("SUCCEEDED")))[:2] == (0, "one\ntwo\nthree\n")


def test_lines_of_ray_itself_are_left_out() -> None:
    noise = "2026-11-23 09:03,038\tINFO job_manager.py:581 -- Runtime env is setting up.\n"
    noise += "Running entrypoint for job x: python -m digits_ray.cli.job x\n"
    assert followed(Dashboard([[noise + "done\n"]], job_of("SUCCEEDED")))[1] == "done\n"


def test_a_cluster_that_no_longer_answers_ends_with_how_to_attach_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "GIVE_UP_SECONDS", 0.05)
    with pytest.raises(RunError, match="digits-ray attach job"):
        followed(Dashboard([], None))


def test_a_log_that_falls_silent_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE_SECONDS", 0.05)
    readings = [["one\n", ""], ["one\n", "two\n"]]
    assert followed(Dashboard(readings, job_of("SUCCEEDED")))[:2] == (0, "one\ntwo\n")


def test_a_cluster_that_freezes_ends_with_how_to_attach_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE_SECONDS", 0.02)
    monkeypatch.setattr(follow, "GIVE_UP_SECONDS", 0.05)
    with pytest.raises(RunError, match="digits-ray attach job"):
        followed(Dashboard([["one\n", ""], *[[""]] * 100], None))


def test_the_results_that_exist_are_fetched(tmp_path: Any) -> None:
    files = {
        "job/submission.csv": b"ImageId,Label\r\n1,2\n",
        "job/report.html": b"<html>\xff",
        "job/label_issues.csv": b"row",
    }
    here = str(tmp_path / "first")
    _, _, lines = followed(Dashboard([[]], job_of("SUCCEEDED", fetch_to=here, out="~/digits-ray/first"), files))
    assert {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()} == {
        name.removeprefix("job/"): content for name, content in files.items()
    }
    assert lines == [
        f"Fetched to {here}: submission.csv, report.html, label_issues.csv",
        "The whole run directory: ~/digits-ray/first",
    ]


@pytest.mark.parametrize(
    ("status", "code", "expected"), [("SUCCEEDED", 0, 0), ("FAILED", 1, 1), ("FAILED", 2, 2), ("STOPPED", None, 130)]
)
def test_the_exit_code_is_the_runs_own(status: str, code: int | None, expected: int) -> None:
    assert exit_code(job_of(status, code)) == expected


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (job_of("FAILED", -9), "ended with code -9"),
        (job_of("FAILED", 137), "ended with code 137"),
        (job_of("FAILED", None, PIP_FAILED), "requirement tensorflow>=99 ERROR: No matching distribution found"),
        (job_of("FAILED", None, "Job supervisor actor died: node lost"), "node lost"),
        (job_of("FAILED"), "no reason is given"),
    ],
)
def test_a_job_without_an_exit_code_of_ours_gives_the_reason_in_one_line(job: Any, reason: str) -> None:
    with pytest.raises(RunError) as error:
        exit_code(job)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
