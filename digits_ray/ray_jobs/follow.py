"""Follows a job to its end: its log, its results, its exit code."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digits_ray.errors import RunError, UserError
from digits_ray.ray_jobs.dashboard import DEFAULT_ADDRESS, Dashboard
from digits_ray.storage import Store, layout

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

FETCHED = (layout.SUBMISSION, layout.REPORT, layout.METRICS, layout.LEADERBOARD)
CODES = (1, 2, 130)  # of `digits-ray run`; any other tells that something killed the job's process
REFUSED, STOPPED = 2, 130
WAITING_SECONDS = 30  # between two lines about a job that has not started
RETRY_SECONDS = 2  # after a lost connection
PATIENCE_SECONDS = 60  # without any answer, before following is given up
_OF_RAY = re.compile(r"^(.* -- Runtime env is setting up\.|Running entrypoint for job .*)\n", re.MULTILINE)


@dataclass
class Follower:
    """Prints one job's log, once, however often the connection breaks."""

    dashboard: Dashboard
    job_id: str
    show: Callable[[str], None]  # takes text as it comes, newlines included
    say: Callable[[str], None]  # takes a line of our own
    shown: int = 0  # characters of the log

    def follow(self) -> int:
        """Returns the exit code that the run ended with, its results fetched.

        Raises:
            RunError: the job broke down without one, or the cluster no longer answers.
        """
        asyncio.run(self._to_the_end())
        job = self.dashboard.job(self.job_id)
        code = exit_code(job)
        if code != REFUSED:
            self._tell_results(job)
        return code

    async def _to_the_end(self) -> None:
        waiting = asyncio.create_task(self._tell_waiting())
        try:
            answered = time.monotonic()
            while time.monotonic() - answered < PATIENCE_SECONDS:
                if await self._print_log():
                    answered = time.monotonic()
                with suppress(UserError):  # the head may be busy, or the connection to it down
                    if self.dashboard.job(self.job_id).status.is_terminal():
                        return
                    answered = time.monotonic()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            waiting.cancel()
        raise RunError(
            f"{self.dashboard.address} has not answered for {PATIENCE_SECONDS} s."
            " If its head is gone, submit the same again, else:"
            f"\n  {attach_command(self.dashboard, self.job_id)}"
        )

    async def _print_log(self) -> bool:
        """Prints what is new until the log ends or the connection does; tells whether anything came."""
        seen = 0
        with suppress(ConnectionError):  # taken up again
            async for text in self.dashboard.log(self.job_id):
                new, seen = text[max(self.shown - seen, 0) :], seen + len(text)
                self.shown = max(self.shown, seen)
                self.show(_OF_RAY.sub("", new))
        return seen > 0

    async def _tell_waiting(self) -> None:
        started = time.monotonic()
        with suppress(UserError):  # `_to_the_end` deals with a dashboard that does not answer
            while True:
                await asyncio.sleep(WAITING_SECONDS)
                if self.dashboard.job(self.job_id).status != "PENDING":
                    return
                seconds = time.monotonic() - started
                self.say(f"waiting for {seconds:.0f} s: the cluster installs packages, once a node, or has no room yet")

    def _tell_results(self, job: "JobDetails") -> None:
        facts = job.metadata or {}
        if job.status == "STOPPED" and "fetch_to" in facts:
            self.say(f"Stopped. To go on: the same command, with --out {facts['fetch_to']}")
        if "fetch_to" in facts:
            fetched = fetch(self.dashboard, job, facts["fetch_to"])
            if fetched:
                self.say(f"Fetched to {facts['fetch_to']}: {', '.join(fetched)}")
        if facts.get("out", "").startswith(("~", "/")):
            node = f" on node {job.driver_info.node_ip_address}" if job.driver_info else ""
            self.say(f"The whole run directory: {facts['out']}{node}")


def fetch(dashboard: Dashboard, job: "JobDetails", folder: str) -> list[str]:
    """Fetches the files that people open from the node where a job left them.

    Returns:
        The names of those that were there.
    """
    found = []
    for name in FETCHED:
        content = dashboard.file(job.driver_node_id or "", f"{job.submission_id}/{name}")
        if content is not None:
            Store.at(folder).write(name, content)
            found.append(name)
    return found


def exit_code(job: "JobDetails") -> int:
    """Returns the code that the run of an ended job exited with.

    Raises:
        RunError: it has none: the cluster could not start it, or something killed it.
    """
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        return STOPPED
    if job.driver_exit_code in CODES:
        return int(job.driver_exit_code)
    if job.driver_exit_code is not None:
        raise RunError(
            f"the job's process ended with code {job.driver_exit_code} (137 or -9: it was killed, most often for want"
            " of memory on its node). The same command goes on where it stopped."
        )
    reason = _reason(job.message or "no reason is given")
    raise RunError(f"the cluster could not run the job: {reason} (all of it: ray job logs {job.submission_id})")


def attach_command(dashboard: Dashboard, job_id: str) -> str:
    """Returns what to type to follow a job again."""
    return f"digits-ray attach {job_id}{address_flag(dashboard)}"


def stop_command(dashboard: Dashboard, job_id: str) -> str:
    """Returns what to type to stop a job."""
    return f"ray job stop {job_id}{address_flag(dashboard)}"


def address_flag(dashboard: Dashboard) -> str:
    """Returns the flag that leads to this dashboard."""
    return "" if dashboard.address == DEFAULT_ADDRESS else f" --address {dashboard.address}"


def _reason(message: str) -> str:
    """Returns the lines of Ray's message that tell most: pip's errors, or its last one."""
    message = re.sub(r" \(from versions: [^)]*\)", "", message)  # pip lists them all
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(error|×|╰|\w*Error)\b", line, re.IGNORECASE)]
    return " ".join(dict.fromkeys(errors)) or lines[-1]
