"""Follows a job to its end: its log, its results, its exit code."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digits_ray.errors import ExitCode, RunError, UserError
from digits_ray.pasteable import pasteable
from digits_ray.ray_jobs.dashboard import DEFAULT_ADDRESS, Dashboard
from digits_ray.storage import Store, layout

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

FETCHED_FILES = (layout.SUBMISSION, layout.REPORT, layout.METRICS, layout.LEADERBOARD, layout.LABEL_ISSUES)
OUR_EXIT_CODES = (ExitCode.FAULT, ExitCode.USER_ERROR, ExitCode.INTERRUPTED)  # any other: the process was killed
PENDING_SECONDS = 30  # between two lines about a job that has not started
RETRY_SECONDS = 2  # after a lost connection
SILENCE_SECONDS = 60.0  # of a log, before the cluster is asked whether the job still runs
GIVE_UP_SECONDS = 60  # without any answer
_RAYS_OWN_LINES = re.compile(r"^(.* -- Runtime env is setting up\.|Running entrypoint for job .*)\n", re.MULTILINE)


@dataclass
class JobFollower:
    """Prints one job's log, once, however often the connection breaks."""

    dashboard: Dashboard
    job_id: str
    print_log: Callable[[str], None]  # gets the log's text as it comes, newlines included
    print_line: Callable[[str], None]  # gets our own messages
    printed: int = 0  # characters of the log

    def follow(self) -> int:
        """Returns the exit code that the run ended with, its results fetched.

        Raises:
            RunError: the job ended without one, or the cluster no longer answers.
        """
        asyncio.run(self._follow_log())
        job = self.dashboard.job(self.job_id)
        code = exit_code(job)
        if code != ExitCode.USER_ERROR:
            self._fetch_results(job)
        return code

    async def _follow_log(self) -> None:
        """Prints the log until the job has ended."""
        pending = asyncio.create_task(self._report_pending())
        try:
            last_answer = time.monotonic()
            while time.monotonic() - last_answer < GIVE_UP_SECONDS:
                if await self._print_new_log():
                    last_answer = time.monotonic()
                with suppress(UserError):  # the head may be busy, or the connection to it down
                    if self.dashboard.job(self.job_id).status.is_terminal():
                        return
                    last_answer = time.monotonic()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            pending.cancel()
        raise RunError(
            f"{self.dashboard.address} has not answered for {GIVE_UP_SECONDS} s."
            " If its head is gone, submit the same again, else:"
            f"\n  {attach_command(self.dashboard, self.job_id)}"
        )

    async def _print_new_log(self) -> bool:
        """Prints what is new until the log ends or falls silent, or the connection ends; returns whether any came."""
        log, received = aiter(self.dashboard.log(self.job_id)), 0
        with suppress(ConnectionError, TimeoutError, StopAsyncIteration):  # the next call connects again
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    text = await anext(log)
                new, received = text[max(self.printed - received, 0) :], received + len(text)
                self.printed = max(self.printed, received)
                self.print_log(_RAYS_OWN_LINES.sub("", new))
        return received > 0

    async def _report_pending(self) -> None:
        """Prints a line now and then while the job has not started."""
        started = time.monotonic()
        with suppress(UserError):  # `_follow_log` handles a dashboard that does not answer
            while True:
                await asyncio.sleep(PENDING_SECONDS)
                if self.dashboard.job(self.job_id).status != "PENDING":
                    return
                seconds = time.monotonic() - started
                self.print_line(
                    f"job not started after {seconds:.0f} s: the cluster may still be installing packages (once a"
                    " node), or have no free CPU"
                )

    def _fetch_results(self, job: "JobDetails") -> None:
        """Fetches what people open, where --out was a folder of this machine, and prints where the results are."""
        labels = job.metadata or {}
        if "fetch_to" in labels:
            if job.status == "STOPPED":
                self.print_line(f"Stopped. To go on: the same command, with --out {labels['fetch_to']}")
            names = fetch_files(self.dashboard, job, labels["fetch_to"])
            if names:
                self.print_line(f"Fetched to {labels['fetch_to']}: {', '.join(names)}")
        if labels.get("out", "").startswith(("~", "/")):
            node = f" on node {job.driver_info.node_ip_address}" if job.driver_info else ""
            self.print_line(f"The whole run directory: {labels['out']}{node}")


def fetch_files(dashboard: Dashboard, job: "JobDetails", folder: str) -> list[str]:
    """Fetches the files that people open from the node where a job left them.

    Returns:
        The names of those that exist.
    """
    fetched = []
    for name in FETCHED_FILES:
        content = dashboard.file(job.driver_node_id or "", f"{job.submission_id}/{name}")
        if content is not None:
            Store.at(folder).write(name, content)
            fetched.append(name)
    return fetched


def exit_code(job: "JobDetails") -> int:
    """Returns the code that the run of an ended job exited with.

    Raises:
        RunError: it has none: the cluster could not start it, or something killed it.
    """
    if job.status == "SUCCEEDED":
        return ExitCode.DONE
    if job.status == "STOPPED":
        return ExitCode.INTERRUPTED
    if job.driver_exit_code in OUR_EXIT_CODES:
        return int(job.driver_exit_code)
    if job.driver_exit_code is not None:
        raise RunError(
            f"the job's process ended with code {job.driver_exit_code} (137 or -9: it was killed, most often because"
            " its node ran out of memory). The same command goes on where it stopped."
        )
    reason = _failure_reason(job.message or "no reason is given")
    raise RunError(f"the cluster could not run the job: {reason} (all of it: ray job logs {job.submission_id})")


def attach_command(dashboard: Dashboard, job_id: str) -> str:
    """Returns what to type to follow a job again."""
    return pasteable("digits-ray", "attach", job_id, *_address_flag(dashboard))


def stop_command(dashboard: Dashboard, job_id: str) -> str:
    """Returns what to type to stop a job."""
    return pasteable("ray", "job", "stop", job_id, *_address_flag(dashboard))


def _address_flag(dashboard: Dashboard) -> list[str]:
    return [] if dashboard.address == DEFAULT_ADDRESS else ["--address", dashboard.address]


def _failure_reason(message: str) -> str:
    """Returns the lines of Ray's message that say most: pip's errors, or its last one."""
    message = re.sub(r" \(from versions: [^)]*\)", "", message)  # pip lists them all
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(error|×|╰|\w*Error)\b", line, re.IGNORECASE)]
    return " ".join(dict.fromkeys(errors)) or lines[-1]
