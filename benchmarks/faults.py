"""Seconds until what a fault has struck trains again, and the epochs that it repeats.

    python benchmarks/faults.py [--rounds 3] [--only "a node dies" ...]

Real Ray nodes on this machine, of one CPU each, with one to spare for every node that is struck, and Ray's own settings
for how soon a lost node is noticed. Members are the default's, on scikit-learn's digits. Seconds run from the fault to
the first batch of the last member that it struck, or, where the same command is given again, from that command to the
next saved epoch. Imports of TensorFlow and the first step's compilation are in them.
"""

import argparse
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when Ray is imported
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))  # for what finds and kills processes there

import ray
from nodes import kill_head, members_on, processes_of, signal_all, unjoined_cluster
from waiting import eventually

from digits_ray.config import DataConfig, SplitConfig, loading, member_specs
from digits_ray.data import combine_rows, load, put_dataset, split
from digits_ray.progress import MemberStatus
from digits_ray.scheduling import resources
from digits_ray.scheduling.ray_environment import RAY_ENVIRONMENT
from digits_ray.scheduling.session import live_nodes
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store

ONE_CPU: dict[str, float] = {"num_cpus": 1}
EPOCHS = 2000  # nobody waits for their end
BATCH = 8  # rows: an epoch of 1,293 rows then takes seconds, so that half a second of not knowing matters little
RECIPE = {
    "data.train": "any.csv",
    "members.count": 2,
    "members.recipe.epochs": EPOCHS,
    "members.recipe.batch_size": BATCH,
}


class Recovered(Exception):  # noqa: N818
    """The members that the fault struck train again."""


@dataclass
class Fault:
    """Strikes once every member has trained some epochs; then waits until those that it struck train again."""

    strike: Callable[[Any], list[int]]  # takes the cluster, returns processes to kill at the end
    before: dict[int, MemberStatus] = field(default_factory=dict)  # by member, when it struck
    started: float = 0.0  # time.monotonic() when it struck
    seconds: float = 0.0  # until the members trained again
    repeated: float = 0.0  # epochs
    to_kill: list[int] = field(default_factory=list)  # processes

    def watch(self, cluster: Any, statuses: list[MemberStatus]) -> None:
        training = all(one.state == "training" and one.progress and one.progress.epoch > 3 for one in statuses)
        if not self.started and training:
            self.before = {one.member_id: one for one in statuses}
            self.started, self.to_kill = time.monotonic(), self.strike(cluster)
        again = [one for one in statuses if self.started and one.attempt > self.before[one.member_id].attempt]
        if again and all(one.state == "training" for one in again):
            self.seconds = time.monotonic() - self.started
            self.repeated = max(self._repeated(one) for one in again)
            raise Recovered

    def _repeated(self, now: MemberStatus) -> float:
        """Epochs from where the member went on to where it was; the driver knows both within half a second."""
        was = self.before[now.member_id].progress
        assert was
        assert now.progress
        return max(0.0, was.epoch - int(now.progress.epoch))


def kill_a_process(cluster: Any) -> list[int]:
    signal_all(_members(cluster)[:1], signal.SIGKILL)
    return []


def kill_a_node(cluster: Any) -> list[int]:
    signal_all(processes_of(_busy(cluster)[0]), signal.SIGKILL)
    return []


def kill_half_of_the_nodes(cluster: Any) -> list[int]:
    signal_all([pid for node in _busy(cluster) for pid in processes_of(node)], signal.SIGKILL)
    return []


def freeze_a_node(cluster: Any) -> list[int]:
    frozen = processes_of(_busy(cluster)[0])
    signal_all(frozen, signal.SIGSTOP)
    return frozen


def freeze_a_process(cluster: Any) -> list[int]:
    frozen = _members(cluster)[:1]
    signal_all(frozen, signal.SIGSTOP)
    return frozen


def _busy(cluster: Any) -> list[Any]:
    return [node for node in cluster.worker_nodes if members_on(node)]


def _members(cluster: Any) -> list[int]:
    return [pid for node in cluster.worker_nodes for pid in members_on(node)]


STRIKES = {
    "a member's process is killed": kill_a_process,
    "a node dies": kill_a_node,
    "half of the nodes die at once": kill_half_of_the_nodes,
    "a node freezes": freeze_a_node,
    "a member's process freezes": freeze_a_process,
}
SAME_COMMAND = {"the driver is killed, the same command": False, "the head dies, the same command on a new one": True}


def main() -> None:
    names = [*STRIKES, *SAME_COMMAND]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FAULT")
    args = parser.parse_args()
    os.environ.update(RAY_ENVIRONMENT)
    print("| fault | seconds | epochs repeated | n |\n|---|---|---|---|")
    for name in args.only:
        rounds = [one_round(name) for _ in range(args.rounds)]
        seconds, repeated = zip(*rounds, strict=True)
        spread = f"{statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})"
        print(f"| {name} | {spread} | {max(repeated):.1f} at most | {len(rounds)} |", flush=True)


def one_round(name: str) -> tuple[float, float]:
    """Returns seconds and epochs repeated."""
    with tempfile.TemporaryDirectory() as folder:
        return (
            recovery_from(STRIKES[name], folder)
            if name in STRIKES
            else recovery_by_command(Path(folder), new_head=SAME_COMMAND[name])
        )


def recovery_from(strike: Callable[[Any], list[int]], folder: str) -> tuple[float, float]:
    from digits_ray.scheduling.trainer import ActorInputs, RetryPolicy, fit_members

    config = loading.load_config("fast", flags=RECIPE)
    data = load(DataConfig())
    fault, store = Fault(strike), Store.at(folder)
    with unjoined_cluster(*4 * [ONE_CPU]) as running:
        ray.init(address=running.address, log_to_driver=False, logging_level="ERROR")
        rows = combine_rows(data, split(data, SplitConfig(), 0))
        inputs = ActorInputs(put_dataset(rows), rows.num_classes, store, RunDirectory(store).write_probe())
        plan = lambda left: resources.plan(live_nodes(), config.members.count, 0, 1)  # noqa: E731
        watch = lambda statuses: fault.watch(running, statuses)  # noqa: E731
        try:
            next(fit_members(member_specs(config), inputs, plan, RetryPolicy(), watch))
        except Recovered:
            return fault.seconds, fault.repeated
        finally:
            signal_all(fault.to_kill, signal.SIGKILL)
    raise RuntimeError("a member ended before the fault was over; give them more epochs")


def recovery_by_command(folder: Path, *, new_head: bool) -> tuple[float, float]:
    """Kills the driver, or the head it has joined, and gives the same command again."""
    command = [sys.executable, "-m", "digits_ray", "run", "--no-baselines", "--quiet", "--cpus-per-member", "1",
             "--members", "2", "--epochs", str(EPOCHS), "--set", f"members.recipe.batch_size={BATCH}",
             "--out", str(folder)]  # fmt: skip
    with unjoined_cluster(*2 * [ONE_CPU]) if new_head else nullcontext() as first:
        driver = subprocess.Popen([*command, *_address(first)], stderr=subprocess.DEVNULL)
        assert eventually(lambda: all(latest(folder, member) > 3 for member in range(2)))
        if first:
            kill_head(first)
        else:
            driver.kill()
        driver.wait()
    saved, known = [latest(folder, member) for member in range(2)], attempts(folder)
    first_epochs: dict[Path, int] = {}  # the first epoch that each new attempt saves

    def both_resumed() -> bool:
        for attempt in attempts(folder) - first_epochs.keys() - known:
            first_epochs.update({attempt: min(map(_epoch, attempt.glob("epoch-*.npz")))})
        return len(first_epochs) == 2

    with unjoined_cluster(*2 * [ONE_CPU]) if new_head else nullcontext() as second:
        started = time.monotonic()
        driver = subprocess.Popen([*command, *_address(second)], stderr=subprocess.DEVNULL)
        assert eventually(both_resumed)
        seconds = time.monotonic() - started
        driver.send_signal(signal.SIGTERM)
        driver.wait()
    resumed = [first_epochs[attempt] for attempt in sorted(first_epochs)]
    return seconds, max(was + 2.0 - now for was, now in zip(saved, resumed, strict=True))


def attempts(folder: Path) -> set[Path]:
    """Returns the folders of attempts that have saved an epoch."""
    return {path.parent for path in folder.glob("members/*/attempts/*/epoch-*.npz")}


def latest(folder: Path, member: int) -> int:
    """Returns the latest saved epoch of a member, 0 without one."""
    return max(map(_epoch, folder.glob(f"members/{member:03d}/attempts/*/epoch-*.npz")), default=0)


def _epoch(path: Path) -> int:
    return int(path.stem.removeprefix("epoch-"))


def _address(running: Any) -> list[str]:
    return ["--address", running.address] if running else []


if __name__ == "__main__":
    main()
