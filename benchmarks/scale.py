"""A thousand members over many pretended nodes: what they cost the driver, and how throughput grows with slots.

    python benchmarks/scale.py [--members 1000] [--nodes 64] [--cpus 1] [--slots 1 8 64]

Every node is a real Ray node (a raylet, agents and an object store of its own) that believes to have as many CPUs as it
is told. Members are of a trivial model, class means, in an actor that stands in for `MemberActor` and loads no
TensorFlow; everything else is the product's own `run`: placement, queue, gathering, files, scores. In the second part
members only wait, so that what is lost is lost by scheduling, not by the cores that all pretended nodes share.
"""

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when Ray is imported
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import numpy as np
import ray
from ray.cluster_utils import Cluster

from digits_ray.config import MemberSpec, loading, member_specs
from digits_ray.ensemble.predictions import MemberResult, Prediction
from digits_ray.progress import Progress
from digits_ray.runs import pipeline
from digits_ray.runs.callbacks import RunCallback
from digits_ray.runs.records import MemberRecord
from digits_ray.runs.stages import Stages
from digits_ray.scheduling import trainer
from digits_ray.scheduling.actor import ActorInputs, ActorUpdate
from digits_ray.scheduling.ray_environment import RAY_ENVIRONMENT
from digits_ray.scheduling.resources import Plan
from digits_ray.storage.store import Store

NODE_MIB, WORKER_MIB = 125, 105  # of a node's own processes, and of each worker; measured
SIDE, CLASSES, LABELLED, TEST_ROWS = 8, 10, 10_000, 28_000  # Kaggle's number of test rows: 1.2 MB a prediction
STORE_BYTES = 80 << 20  # of each node's object store, the least that Ray takes


class Shown(RunCallback):
    """Prints the driver's memory and speed at every tenth of the members."""

    def __init__(self, members: int) -> None:
        self.total, self.done, self.started, self.first = members, 0, time.monotonic(), 0.0

    def on_member_end(self, member_id: int, record: MemberRecord, metrics: Mapping[str, Any]) -> None:
        self.done += 1
        if self.done == 1:
            self.first = time.monotonic()
            print(f"first member after {self.first - self.started:.1f} s")
        if self.done % max(1, self.total // 10) == 0:
            seconds, used = time.monotonic() - self.first, metrics["ensemble"]["members_used"]
            cost = 1000 * seconds / max(1, self.done - 1)
            print(f"{self.done:6} members {seconds:7.1f} s {cost:6.1f} ms each  driver {resident_mib():5.0f} MiB  "
                  f"(submission of {used})", flush=True)  # fmt: skip


class TrivialActor:
    """Stands in for `MemberActor`: the means of the classes over a bootstrap sample, no TensorFlow."""

    def __init__(self, inputs: ActorInputs, resources: Any) -> None:
        from digits_ray.data import open_rows

        self.rows = open_rows(inputs.dataset, inputs.num_classes, resources.data_gib)

    def fit(self, specs: list[MemberSpec], attempt: str, states: list[bytes | None]) -> list[MemberResult]:
        [spec] = specs
        started, rows = time.perf_counter(), self.rows
        index = rows.train_index(spec.fold)
        sample = np.random.default_rng(spec.seed).choice(index, len(index) // 10)
        pixels = rows.images_at(sample).reshape(len(sample), -1).astype(np.float32)
        means = np.stack([pixels[rows.labels[sample] == label].mean(axis=0) for label in range(rows.num_classes)])
        held_out, test = rows.holdout_index(spec.fold), rows.test_index()
        parts = [(rows.row_ids[part], _softmax(rows.images_at(part), means)) for part in (held_out, test)]
        prediction = Prediction(f"member-{spec.member_id:03d}", *parts[0], *parts[1])
        seconds = time.perf_counter() - started
        history = [{"accuracy": 0.5, "loss": 1.0, "learning_rate": 0.1, "seconds": seconds}]
        return [MemberResult(spec.member_id, prediction, history, b"none", seconds, 1.0, "float32", "cpu")]

    def latest_update(self) -> ActorUpdate:
        return ActorUpdate()


class WaitingActor:
    """Stands in for `MemberActor`: waits as long as the member's recipe has epochs, in tenths of a second."""

    def __init__(self, *given: Any) -> None:
        self.latest: Progress | None = None

    def fit(self, specs: list[MemberSpec], attempt: str, states: list[bytes | None]) -> list[MemberResult]:
        [spec] = specs
        self.latest = Progress(spec.member_id, 0.5, 1)
        seconds = spec.recipe.epochs / 10
        time.sleep(seconds)
        none = np.zeros(0, np.int64), np.zeros((0, CLASSES), np.float32)
        prediction = Prediction(f"member-{spec.member_id:03d}", *none, *none)
        return [MemberResult(spec.member_id, prediction, [], b"", seconds, 1.0, "float32", "cpu")]

    def latest_update(self) -> ActorUpdate:
        return ActorUpdate((self.latest,) if self.latest else ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=64, help="fewer are started where memory is short")
    parser.add_argument("--cpus", type=int, default=1, help="that each node believes to have: members at a time")
    parser.add_argument("--slots", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--seconds", type=float, default=2.0, help="that a waiting member waits")
    parser.add_argument("--rounds", type=int, default=6, help="members for each slot")
    args = parser.parse_args()
    nodes = min(args.nodes, int(0.7 * available_mib() / (NODE_MIB + WORKER_MIB * args.cpus)))
    with cluster(nodes, args.cpus):
        if args.members:
            many_members(args.members)
        for slots in args.slots:
            if slots <= nodes * args.cpus:
                waiting_members(slots, args.seconds, args.rounds)


@contextmanager
def cluster(nodes: int, cpus: int) -> Iterator[None]:
    """Starts a head without CPUs and so many nodes of so many pretended CPUs each."""
    os.environ.update(RAY_ENVIRONMENT)
    started, head = (
        time.monotonic(),
        {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 4 * STORE_BYTES},
    )
    running = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            running.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES, wait=False)
        running.wait_for_nodes(timeout=600)
        ray.init(address=running.address, log_to_driver=False, logging_level="ERROR")
        print(
            f"{nodes} nodes of {cpus} CPUs after {time.monotonic() - started:.0f} s, on {os.cpu_count()} cores",
            flush=True,
        )
        yield
    finally:
        ray.shutdown()
        running.shutdown()


def many_members(members: int) -> None:
    """One whole run; the report is left out, which is drawn after it and loads TensorFlow."""
    with tempfile.TemporaryDirectory() as folder, stand_in(TrivialActor), mock.patch.object(Stages, "report"):
        place = Path(folder)
        values = {"data.train": data_file(place / "train.npz", LABELLED), "out": str(place / "run"),
                  "data.test": data_file(place / "test.npz", TEST_ROWS, labels=False), "members.count": members,
                  "baselines.enabled": False}  # fmt: skip
        view, started = Shown(members), time.monotonic()
        metrics = pipeline.run(loading.load_config("fast", flags=values), [view]).metrics
        print(f"run of {members} members: {time.monotonic() - started:.0f} s, {metrics['timing']['slots']} slots, "
              f"driver {resident_mib():.0f} MiB, ensemble of {metrics['ensemble']['members_used']}")  # fmt: skip


def waiting_members(slots: int, seconds: float, rounds: int) -> None:
    """Measures from the moment when every slot has ended one member until the queue is empty."""
    flags = {"members.count": slots * rounds, "members.recipe.epochs": round(10 * seconds)}
    specs = member_specs(loading.load_config("fast", flags=flags))
    plan = Plan(slots, 1, 0, 1, "")
    with tempfile.TemporaryDirectory() as folder, stand_in(WaitingActor):
        inputs = ActorInputs(None, CLASSES, Store.at(folder), b"")
        busy = time.process_time()
        ends = [time.monotonic() for _ in trainer.fit_members(specs, inputs, lambda left: plan, trainer.RetryPolicy())]
    steady = ends[slots - 1 : len(specs) - slots]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    took = 1000 * (time.process_time() - busy) / len(specs)
    print(f"{slots:4} slots {rate:7.2f} members/s, {100 * rate * seconds / slots:5.1f} % of what they could; "
          f"{took:.1f} ms of the driver's CPU for each member", flush=True)  # fmt: skip


@contextmanager
def stand_in(actor: type) -> Iterator[None]:
    """Puts an actor in the place of the one that trains networks."""
    with mock.patch.object(trainer, "MemberActor", ray.remote(max_restarts=0)(actor)):
        yield


def data_file(path: Path, rows: int, *, labels: bool = True) -> str:
    """Writes images that show their class faintly, on noise."""
    random = np.random.default_rng(rows)
    classes = np.arange(rows) % CLASSES
    images = random.integers(0, 200, (rows, SIDE, SIDE), dtype=np.uint8)
    images[np.arange(rows), classes % SIDE, classes // SIDE] = 250
    np.savez(path, images=images, **({"labels": classes} if labels else {}))  # type: ignore[arg-type]
    return str(path)


def _softmax(images: np.ndarray, means: np.ndarray) -> np.ndarray:
    """(rows, classes) float32, from the distances to the classes' means."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    logits = (pixels @ means.T - 0.5 * (means**2).sum(axis=1)) / 5_000
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def resident_mib() -> float:
    """This process's own memory; Ray's shared blocks are not in it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))


def available_mib() -> float:
    """The machine's free memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable"))


if __name__ == "__main__":
    main()
