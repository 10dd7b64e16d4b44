"""What this process may use of its machine, by affinity and control groups: containers and Slurm set both.

Ray counts every CPU of the machine unless a container's own quota says otherwise, and knows no control group but the
topmost: https://docs.kernel.org/admin-guide/cgroup-v2.html, …/cgroup-v1/memory.html, …/scheduler/sched-bwc.html.
"""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_PROCESS = Path("/proc/self/cgroup")
_MOUNTED = Path("/sys/fs/cgroup")
# The option of `ulimit`, its name and unit, and what is enough: Ray and libraries reserve some 10 GB of addresses and
# start some hundred threads, which count as processes.
_LIMITS = (("-v", "RLIMIT_AS", 1024, math.inf), ("-u", "RLIMIT_NPROC", 1, 4096), ("-n", "RLIMIT_NOFILE", 1, 256))


def usable_cpus(process: Path = _PROCESS, mounted: Path = _MOUNTED) -> int:
    """Returns how many CPUs this process may use: by its affinity, and by the quota of its control groups.

    Args:
        process: Names the control groups of the process.
        mounted: Where they lie.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in _groups("cpu", process, mounted) if (quota := _cpu_quota(folder)) is not None]
    return max(1, int(min([affinity, *quotas])))


def memory_limit(process: Path = _PROCESS, mounted: Path = _MOUNTED) -> int | None:
    """Returns the bytes that the control groups of this process allow; None where that is all of the machine's memory.

    Args:
        process: Names the control groups of the process.
        mounted: Where they lie.
    """
    names = ("memory.max", "memory.limit_in_bytes")  # of version 2 and 1
    folders = _groups("memory", process, mounted)
    limits = [limit for folder in folders for name in names if (limit := _number(folder / name)) is not None]
    return min([limit for limit in limits if limit < _physical_memory()], default=None)


def usable_memory(process: Path = _PROCESS, mounted: Path = _MOUNTED) -> int:
    """Returns the bytes of memory that this process may use in all: the machine's, or those of its control groups.

    Args:
        process: Names the control groups of the process.
        mounted: Where they lie.
    """
    return memory_limit(process, mounted) or _physical_memory()


def tight_limits() -> str:
    """Returns " Try it without ulimit -v 4000000.", where limits of the shell are so low that libraries may fail."""
    limits = []
    for option, name, unit, enough in _LIMITS:
        soft = _soft_limit(name)
        if soft < enough:
            limits.append(f"ulimit {option} {soft // unit:.0f}")
    return f" Try it without {', '.join(limits)}." if limits else ""


def startable_threads(wanted: int) -> int:
    """Returns how many threads more this process can start, by trying: limits of users and of containers count alike.

    Args:
        wanted: How many are tried at most.
    """
    ended, threads = threading.Event(), list[threading.Thread]()
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=ended.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except (RuntimeError, MemoryError):  # "can't start new thread"
        pass
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    return len(threads)


def _soft_limit(name: str) -> float:
    try:
        import resource
    except ImportError:  # Windows
        return math.inf
    soft, _ = resource.getrlimit(getattr(resource, name))
    return math.inf if soft == resource.RLIM_INFINITY else soft


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _groups(controller: str, process: Path, mounted: Path) -> Iterator[Path]:
    """Yields the folders of the process's groups and of those above: the tightest counts.

    A container may see its own group as the topmost one while the process's path is the host's, so that folders may
    be missing.
    """
    for line in _text(process).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        roots = (mounted / controllers, mounted / controller) if controllers else (mounted, mounted / "unified")
        names = path.strip("/").split("/")
        for root in roots:
            yield root
            yield from (root.joinpath(*names[: depth + 1]) for depth in range(len(names)))


def _cpu_quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")  # version 2
    if quota.isdigit() and period.isdigit() and int(period):
        return int(quota) / int(period)
    time, period_1 = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")  # version 1
    return time / period_1 if time and period_1 else None


def _number(file: Path) -> int | None:
    """Returns the number that a file holds; None for "max", -1, or where there is no such file."""
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
