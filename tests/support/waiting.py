"""Waits patiently for what other processes do: a loaded machine is slow, and nothing here judges time."""

import time
from collections.abc import Callable
from pathlib import Path

LIMIT_SECONDS = 300


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return held


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
