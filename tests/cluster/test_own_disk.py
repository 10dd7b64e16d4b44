"""A node with a disk of its own: it does not see the run directory, and its disk may fill up."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest
from factories import same, spec_of
from gate import Fault
from nodes import cluster_of, signal_all
from processes import descendants, member_actors
from training import ONE_SLOT, REAL, results, train
from waiting import eventually

from digits_ray.ensemble.predictions import MemberResult
from digits_ray.scheduling.resources import Plan, plan
from digits_ray.scheduling.session import live_nodes

pytestmark = pytest.mark.chaos

DISK = Path("/tmp/ray")  # Ray's own files on a node: logs, sockets, spilled objects
NODE = """
mount -t tmpfs -o size=64m tmpfs {disk} && mount -t tmpfs tmpfs {out} || exit 3
exec {python} -c 'from ray.scripts.scripts import main; main()' start --address {address} --num-cpus 2 --block
"""
SPECS = [spec_of(number, seed=number, epochs=12) for number in range(2)]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def elsewhere(out: Path) -> Iterator[int]:
    """The pid of a node in a mount namespace of its own, the only one with CPUs."""
    with cluster_of() as cluster:
        script = NODE.format(disk=DISK, out=out, python=sys.executable, address=cluster.address)
        node = subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert eventually(lambda: len(live_nodes()) == 2 or node.poll() is not None)
            if node.poll() is not None:
                assert node.stderr
                pytest.skip(f"no disk of its own can be given to a node here: {node.stderr.read().strip()}")
            yield node.pid
        finally:
            signal_all([node.pid, *descendants(node.pid)], signal.SIGKILL)  # told to end, Ray takes half a minute
            node.wait()


@pytest.fixture(scope="module")
def undisturbed(elsewhere: int, out: Path) -> dict[int, MemberResult]:
    return results(train(SPECS, out / "calm", a_plan=ONE_SLOT, prepare_fit=REAL))


def a_cpu_each(left: int) -> Plan:
    return plan(live_nodes(), 2, 0, 1)


def test_the_driver_saves_the_epochs_of_members_that_cannot_see_the_run_directory(
    elsewhere: int, undisturbed: dict[int, MemberResult], out: Path
) -> None:
    """Members on another disk than the run directory's: real networks."""
    killed: list[int] = []
    saved: list[Path] = []

    def kill_all() -> None:
        saved.extend((out / "run").glob("members/*/attempts/*/epoch-*.npz"))
        killed.extend(member_actors(elsewhere))
        signal_all(killed, signal.SIGKILL)

    found = results(train(SPECS, out / "run", plan=a_cpu_each, on_status=Fault(kill_all), prepare_fit=REAL))
    assert len(killed) == 2
    assert len({path.parent for path in saved}) == 2
    assert not list(Path(f"/proc/{elsewhere}/root{out}").iterdir())
    assert all(result.attempts == 2 and result.start_epoch >= 2 for result in found.values())
    assert all(same(found[number], undisturbed[number]) for number in found)


def test_members_on_a_node_whose_disk_is_full_train_on(
    elsewhere: int, undisturbed: dict[int, MemberResult], out: Path
) -> None:
    """The disk of a node is full: real networks."""
    filler = Path(f"/proc/{elsewhere}/root{DISK}/filler")
    room_left: list[int] = []

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        room_left.append(os.statvfs(filler.parent).f_bavail)

    try:
        found = results(train(SPECS, out / "full", plan=a_cpu_each, on_status=Fault(fill), prepare_fit=REAL))
    finally:
        filler.unlink(missing_ok=True)
    assert room_left == [0]
    assert all(same(found[number], undisturbed[number]) for number in found)


def test_epochs_that_the_driver_cannot_save_are_told_with_the_member(elsewhere: int, out: Path) -> None:
    attempts = out / "blocked" / "members" / "000" / "attempts"

    def block() -> None:
        rmtree(attempts)
        attempts.touch()  # no folder any more, so nothing can be written below it

    fault = Fault(block)
    found = results(train(SPECS[:1], out / "blocked", plan=a_cpu_each, on_status=fault))
    assert fault.epochs
    (note,) = found[0].notes
    assert "not saved" in note
    assert str(attempts) in note
