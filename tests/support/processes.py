"""Finds and kills processes, for tests of what a kill may cost."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that they have, and so on."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
    found, latest = [], [pid]
    while latest:
        latest = [child for child, parent in parents.items() if parent in latest]
        found += latest
    return found


def member_actors(pid: int | None = None) -> list[int]:
    """The actor processes below a driver (this process, unless another is named)."""
    return [child for child in descendants(pid or os.getpid()) if "ray::MemberActor" in title(child)]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended since it was found
        os.kill(pid, signal.SIGKILL)


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
