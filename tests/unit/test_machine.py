"""What a process may use of its machine, as containers and Slurm limit it."""

import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from digits_ray.machine import memory_limit, startable_threads, tight_limits, usable_cpus, usable_memory

CPUS = len(os.sched_getaffinity(0))
GIB = 1 << 30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def limits(tmp_path: Path, process: str) -> tuple[int, int | None]:
    (tmp_path / "self").write_text(process + "\n")
    paths = tmp_path / "self", tmp_path / "cgroup"
    return usable_cpus(*paths), memory_limit(*paths)


@pytest.fixture
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def test_a_container_of_version_2_has_its_quota_and_its_memory(tmp_path: Path, many_cpus: None) -> None:
    write(tmp_path / "cgroup", cpu__max="250000 100000", memory__max=str(GIB))
    assert limits(tmp_path, "0::/") == (2, GIB)


def test_a_container_of_version_1_has_its_quota_and_its_memory(tmp_path: Path, many_cpus: None) -> None:
    write(tmp_path / "cgroup/cpu,cpuacct", **{"cpu__cfs_quota_us": "300000", "cpu__cfs_period_us": "100000"})
    write(tmp_path / "cgroup/memory", memory__limit_in_bytes=str(GIB))
    process = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc"  # folders of the host
    assert limits(tmp_path, process) == (3, GIB)


def test_the_controllers_may_be_linked_by_one_name(tmp_path: Path, many_cpus: None) -> None:
    write(tmp_path / "cgroup/cpu", **{"cpu__cfs_quota_us": "300000", "cpu__cfs_period_us": "100000"})
    assert limits(tmp_path, "3:cpu,cpuacct:/") == (3, None)


def test_a_slurm_step_is_limited_by_the_groups_above_it(tmp_path: Path, many_cpus: None) -> None:
    scope = tmp_path / "cgroup/system.slice/slurmstepd.scope"
    write(scope / "job_7", cpu__max="max 100000", memory__max=str(3 * GIB))
    write(scope / "job_7/step_0", cpu__max="400000 100000", memory__max=str(2 * GIB))
    write(scope / "job_7/step_0/user/task_0", cpu__max="max 100000", memory__max="max")
    assert limits(tmp_path, "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0") == (4, 2 * GIB)


def test_a_slurm_job_of_version_1_has_the_memory_of_its_job(tmp_path: Path) -> None:
    write(tmp_path / "cgroup/memory/slurm/uid_5/job_7", memory__limit_in_bytes=str(GIB))
    assert limits(tmp_path, "4:memory:/slurm/uid_5/job_7/step_0/task_0") == (CPUS, GIB)


@pytest.mark.parametrize("unlimited", ["max", "-1", "9223372036854771712", "", "nonsense"])
def test_no_limit_is_no_limit(tmp_path: Path, unlimited: str) -> None:
    write(tmp_path / "cgroup", cpu__max=f"{unlimited} 100000", memory__max=unlimited)
    write(tmp_path / "cgroup/cpu", **{"cpu__cfs_quota_us": unlimited, "cpu__cfs_period_us": "100000"})
    assert limits(tmp_path, "3:cpu:/\n0::/") == (CPUS, None)


def test_less_than_a_cpu_is_one(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", cpu__max="50000 100000")
    assert limits(tmp_path, "0::/") == (1, None)


def test_a_system_without_control_groups_has_its_affinity(tmp_path: Path) -> None:
    assert (usable_cpus(tmp_path / "no"), memory_limit(tmp_path / "no")) == (CPUS, None)


@pytest.mark.skipif(not shutil.which("taskset"), reason="no taskset")
def test_taskset_is_obeyed() -> None:
    cpu = str(min(os.sched_getaffinity(0)))
    code = "from digits_ray.machine import usable_cpus; print(usable_cpus())"
    done = subprocess.run(
        ["taskset", "-c", cpu, sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


def test_without_a_limit_all_of_the_machine_s_memory_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "self").write_text("0::/\n")
    physical = usable_memory(tmp_path / "self", tmp_path / "cgroup")
    assert physical == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    write(tmp_path / "cgroup", memory__max=str(physical // 2))
    assert usable_memory(tmp_path / "self", tmp_path / "cgroup") == physical // 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({resource.RLIMIT_AS: 4_096_000_000}, " Try it without ulimit -v 4000000."),
        ({resource.RLIMIT_NPROC: 60, resource.RLIMIT_NOFILE: 64}, " Try it without ulimit -u 60, ulimit -n 64."),
        ({resource.RLIMIT_NPROC: 95_000, resource.RLIMIT_NOFILE: 1024}, ""),
    ],
)
def test_limits_of_the_shell_are_named_where_they_are_tight(
    given: dict[int, int], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda number: (given.get(number, unlimited), unlimited))
    assert tight_limits() == told


def test_the_threads_that_can_be_started_are_counted_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started, start = list[threading.Thread](), threading.Thread.start
    assert startable_threads(5) == 5

    def start_up_to_three(thread: threading.Thread) -> None:
        if sum(each.is_alive() for each in started) == 3:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start_up_to_three)
    assert startable_threads(5) == startable_threads(5) == 3
    assert not any(each.is_alive() for each in started)
