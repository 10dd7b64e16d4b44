"""Hosts on this machine, each with an address, a cable and processes of its own: Linux namespaces, joined by a bridge.

The machine's own network is not touched: even the bridge lies in a namespace. Namespaces without names last as long as
their first process, which ends when this process does, however that ends. Needs root, iproute2 and util-linux.
"""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processes import descendants

CLONE_NEWNET = 0x40000000  # linux/sched.h
RAY_FOLDER = Path("/tmp/ray")  # where Ray looks for what runs on its host
# Ends when its standard input is closed, and with it, as the first of its namespaces, every process in them.
FIRST_PROCESS = """
echo "$0" >/proc/sys/kernel/hostname && mount --bind "$1" "$2" && mount --bind "$3" /etc/hosts && echo ready && exec cat
"""
HOSTS_FILE = "names-of-hosts"


@dataclass(frozen=True)
class Host:
    """One host, and the port of the switch that its cable leads to."""

    name: str  # also of the port
    address: str
    pid: int  # of its first process
    switch_pid: int

    def command(self, *words: object) -> list[str]:
        """Returns the command that runs another one on this host."""
        return ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--uts", "--", *map(str, words)]

    def start(self, *words: object, output: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Starts a command on this host; what it prints goes to the files `output`.out and `output`.err."""
        with output.with_suffix(".out").open("wb") as stdout, output.with_suffix(".err").open("wb") as stderr:
            return subprocess.Popen(self.command(*words), env=os.environ | environment, stdout=stdout, stderr=stderr)

    def listen(self) -> socket.socket:
        """Returns a socket of this process that listens on this host, at a free port."""
        with ThreadPoolExecutor(1) as executor:  # only the thread enters the namespace, and it ends
            return executor.submit(self._listen).result()

    def pull_cable(self) -> None:
        """Cuts the host off from all others."""
        _ip(self.switch_pid, "link", "set", "dev", self.name, "down")

    def plug_cable(self) -> None:
        """Joins it to the others again."""
        _ip(self.switch_pid, "link", "set", "dev", self.name, "up")

    def _listen(self) -> socket.socket:
        with Path(f"/proc/{self.pid}/ns/net").open() as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server((self.address, 0))


@contextmanager
def hosts(*names: str, folder: Path) -> Iterator[list[Host]]:
    """Runs the body with hosts that reach each other; at its end, every process on them is killed and nothing is left.

    Args:
        *names: Of the hosts.
        folder: Gets a folder for each host, which is its RAY_FOLDER.
    """
    RAY_FOLDER.mkdir(exist_ok=True)
    with ExitStack() as running:
        addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
        _write_hosts_file(folder / HOSTS_FILE, addresses)
        switch = running.enter_context(_namespaces("switch", folder))
        _ip(switch, "link", "add", "bridge", "up", "type", "bridge")
        made = [
            Host(name, address, running.enter_context(_namespaces(name, folder)), switch)
            for name, address in addresses.items()
        ]
        for host in made:
            _connect(host)
        yield made


@contextmanager
def cut(one: Host, other: Host) -> Iterator[None]:
    """Lets two hosts not reach each other during the body; both reach all others."""
    _isolate([one, other], "on")
    try:
        yield
    finally:
        _isolate([one, other], "off")


def why_impossible() -> str:
    """Returns why there can be no such hosts here; empty where there can."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("ip"):
        return "needs `ip` (iproute2)"
    try:
        with TemporaryDirectory() as folder, hosts("one", "two", folder=Path(folder)) as (one, two), cut(one, two):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        return f"root and `ip` are here, but network namespaces cannot be made: {reason}"


def _write_hosts_file(file: Path, addresses: dict[str, str]) -> None:
    """Ray's agent on a host looks its name up, and would wait for seconds for a server of names to answer."""
    entries = {"localhost": "127.0.0.1", **addresses}
    file.write_text("".join(f"{address} {name}\n" for name, address in entries.items()))


@contextmanager
def _namespaces(name: str, folder: Path) -> Iterator[int]:
    """Gives the first process of new namespaces."""
    (folder / name).mkdir(exist_ok=True)
    begin = ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
    command = [*begin, "sh", "-c", FIRST_PROCESS, name, folder / name, RAY_FOLDER, folder / HOSTS_FILE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as unshare:
        try:
            assert unshare.stdout and unshare.stderr
            if unshare.stdout.readline() != b"ready\n":
                raise OSError(unshare.stderr.read().decode().strip())
            (pid,) = descendants(unshare.pid)
            _ip(pid, "link", "set", "dev", "lo", "up")
            yield pid
        finally:
            unshare.kill()


def _connect(host: Host) -> None:
    ends = ["link", "add", "eth0", "type", "veth", "peer", "name", host.name, "netns", str(host.switch_pid)]
    _ip(host.pid, *ends)
    _ip(host.switch_pid, "link", "set", "dev", host.name, "up", "master", "bridge")
    _ip(host.pid, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip(host.pid, "link", "set", "dev", "eth0", "up")
    _ip(host.pid, "route", "add", "default", "dev", "eth0")  # Ray finds its own address by one


def _isolate(both: list[Host], state: str) -> None:
    """Isolated ports of a bridge do not reach each other; see bridge(8)."""
    for host in both:
        _ip(host.switch_pid, "link", "set", "dev", host.name, "type", "bridge_slave", "isolated", state)


def _ip(pid: int, *words: str) -> None:
    """Runs `ip` in the network of a process."""
    command = ["nsenter", f"--target={pid}", "--net", "ip", *words]
    subprocess.run(command, check=True, capture_output=True, text=True)
