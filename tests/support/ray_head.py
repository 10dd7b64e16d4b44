"""A real head of a Ray cluster, as someone else would have started it, for tests that send it jobs."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from processes import descendants, kill

RAY = str(Path(sys.executable).with_name("ray"))
START_SECONDS = 300


@dataclass(frozen=True)
class Head:
    """A head that listens on ports of its own and wants a token of its own."""

    address: str  # of its dashboard
    token: str
    home: Path  # what ~ means there
    log: Path

    def environment(self) -> dict[str, str]:
        """The environment of a user of this cluster."""
        return os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def env_vars(self) -> dict[str, str]:
        """For the runtime_env of jobs, which puts what travelled with a job before this path.

        The digits_ray there breaks where it is imported: what jobs run must be what was sent.
        """
        return {"PYTHONPATH": str(self.home / "installed")}

    def answers(self) -> bool:
        try:
            answer = requests.get(
                f"{self.address}/api/version", headers={"Authorization": f"Bearer {self.token}"}, timeout=5
            )
        except requests.RequestException:
            return False
        return answer.status_code == 200


@contextmanager
def ray_head() -> Iterator[Head]:
    """Starts a head with two CPUs and ends it, with all that it has started."""
    folder = Path(tempfile.mkdtemp(prefix="dr-", dir="/tmp"))  # short: Ray's sockets lie below it
    head = Head(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(32), _home(folder), folder / "head.log")
    with head.log.open("w") as log:
        process = subprocess.Popen(
            _command(head, folder), env=_environment(head), stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(head, process)
        yield head
    finally:
        for pid in [process.pid, *descendants(process.pid)]:  # asked nicely, Ray takes half a minute
            with suppress(ProcessLookupError):
                kill(pid)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _command(head: Head, folder: Path) -> list[str]:
    dashboard = head.address.rpartition(":")[2]
    any_port = ("port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port",
                "min-worker-port", "max-worker-port", "node-manager-port", "object-manager-port",
                "runtime-env-agent-port")  # fmt: skip
    return [
        RAY, "start", "--head", "--block", "--num-cpus=2", "--dashboard-host=127.0.0.1",
        f"--dashboard-port={dashboard}", f"--ray-client-server-port={_free_port()}", f"--temp-dir={folder / 'ray'}",
        *(f"--{name}=0" for name in any_port),
    ]  # fmt: skip


def _environment(head: Head) -> dict[str, str]:
    """Ours, but for a home of its own, and `python` on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return head.environment() | {"HOME": str(head.home), "PATH": path, "RAY_USAGE_STATS_ENABLED": "0"}


def _home(folder: Path) -> Path:
    package = folder / "home" / "installed" / "digits_ray"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "raise ImportError('the digits_ray of the cluster, not the one that was sent')"
    )
    return folder / "home"


def _wait(head: Head, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not head.answers():
        assert process.poll() is None, head.log.read_text()
        assert time.monotonic() < deadline, head.log.read_text()
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
