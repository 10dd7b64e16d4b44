"""cluster/local.sh as a user runs it: real nodes, their ports, their token, their end."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from waiting import LIMIT_SECONDS, alive, eventually

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOCAL = ROOT / "cluster" / "local.sh"

ON_EVERY_NODE = """
import ray, sys
ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
@ray.remote(num_cpus=1)
class Waiting:
    def node(self):
        return ray.get_runtime_context().get_node_id()
waiting = [Waiting.remote() for _ in range(int(sys.argv[1]))]
print(len(ray.nodes()), len(set(ray.get([each.node.remote() for each in waiting]))), flush=True)
sys.stdin.read()
"""


class Started:
    """What `local.sh start 2` has left running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = (folder / "env").read_text().splitlines()
        self.env = {**os.environ, **dict(line.removeprefix("export ").split("=", 1) for line in lines)}
        self.nodes = [int(line.split()[0]) for line in (folder / "nodes").read_text().splitlines()]

    def status_of_jobs(self, headers: dict[str, str]) -> int:
        request = urllib.request.Request(f"{self.env['RAY_API_SERVER_ADDRESS']}/api/jobs/", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DIGITS_RAY_LOCAL": str(folder)}


def local(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LOCAL), *words], env=environment(folder), capture_output=True, text=True, timeout=LIMIT_SECONDS
    )


@pytest.fixture(scope="module")
def folder() -> Path:
    """A place for `start` that no other cluster of this machine has; short, for Unix sockets."""
    return Path(f"/tmp/dr-{os.getpid()}")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Started]:
    begun = local(folder, "start", "2")
    assert begun.returncode == 0, begun.stderr
    try:
        yield Started(folder)
    finally:
        local(folder, "stop")


@pytest.fixture
def driver(cluster: Started) -> Iterator[subprocess.Popen[str]]:
    """A driver with an actor of one CPU on each of as many workers as this machine has CPUs for."""
    command = [sys.executable, "-c", ON_EVERY_NODE, str(min(2, os.cpu_count() or 1))]
    process = subprocess.Popen(
        command, env=cluster.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=LIMIT_SECONDS)


def listening(pids: list[int]) -> set[str]:
    """The addresses, in the kernel's hexadecimals, on which these processes listen for TCP."""
    inodes = {link for pid in pids for link in _open_files(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                found.add(words[1].split(":")[0])
    return found


def _open_files(pid: int) -> list[str]:
    try:
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, as IPv4 and as IPv6


def test_a_driver_finds_a_head_without_cpus_and_its_workers_listening_on_loopback_alone(
    cluster: Started, driver: subprocess.Popen[str]
) -> None:
    assert driver.stdout is not None
    nodes, used = driver.stdout.readline().split()
    everything = [driver.pid, *cluster.nodes, *(pid for node in cluster.nodes for pid in processes.descendants(node))]
    assert (int(nodes), int(used)) == (3, 2)
    assert listening(everything) == LOOPBACK


def test_a_submitted_job_runs_with_the_environment_that_start_prints(cluster: Started) -> None:
    script = "import ray; ray.init(); print('nodes:', len(ray.nodes()))"
    submitted = subprocess.run(
        ["ray", "job", "submit", "--", "python", "-c", script],
        env={**cluster.env, "PATH": environment(cluster.folder)["PATH"]},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert "nodes: 3" in submitted.stdout


def test_whoever_lacks_the_token_is_refused(cluster: Started) -> None:
    assert cluster.status_of_jobs({}) == 401
    assert cluster.status_of_jobs({"Authorization": "Bearer " + "0" * 64}) == 403
    assert cluster.status_of_jobs({"Authorization": "Bearer " + cluster.env["RAY_AUTH_TOKEN"]}) == 200


def test_the_token_is_readable_by_its_owner_alone(cluster: Started) -> None:
    assert cluster.folder.stat().st_mode & 0o077 == 0
    assert (cluster.folder / "env").stat().st_mode & 0o077 == 0


def test_a_second_start_is_refused_and_leaves_the_first_alone(cluster: Started, folder: Path) -> None:
    second = local(folder, "start", "1")
    assert second.returncode == 2
    assert "stop" in second.stderr
    assert all(alive(pid) for pid in cluster.nodes)


def test_stop_ends_every_process_that_start_began(cluster: Started, folder: Path) -> None:
    everything = [*cluster.nodes, *(pid for node in cluster.nodes for pid in processes.descendants(node))]
    assert local(folder, "stop").returncode == 0
    assert eventually(lambda: not any(alive(pid) for pid in everything))
    assert not folder.exists()
    assert local(folder, "stop").returncode == 2


def test_a_command_that_is_terminated_takes_its_cluster_with_it(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"ray status > {told}.new && mv {told}.new {told}; exec sleep 1000"
    run = subprocess.Popen(
        [str(LOCAL), "1", "--", "bash", "-c", script],
        env=environment(tmp_path / "unused"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually(lambda: told.exists() or run.poll() is not None)
    everything = processes.descendants(run.pid)
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 128 + signal.SIGTERM
    assert "Active:" in told.read_text()
    assert eventually(lambda: not any(alive(pid) for pid in everything))
    assert not Path(output.split("logs in ")[1].splitlines()[0]).exists()


@pytest.mark.parametrize("words", [(), ("2",), ("2", "--"), ("0", "--", "true"), ("start", "two")])
def test_words_that_make_no_sense_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    refused = local(tmp_path / "unused", *words)
    assert refused.returncode == 2
    assert "local.sh" in refused.stderr
    assert not (tmp_path / "unused").exists()
