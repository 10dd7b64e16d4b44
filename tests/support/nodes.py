"""A Ray cluster of several nodes on this machine: real processes, pretended GPUs."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import ray
import shared_ray
from processes import descendants, title

MEMBER_GPUS = {"num_cpus": 2, "num_gpus": 1}


@contextmanager
def cluster_of(*workers: dict[str, float], head_cpus: int = 0, patient: bool = False) -> Iterator[Any]:
    """Runs the body with a driver joined to a head and worker nodes; gives Ray's own `Cluster`.

    Ray notices a frozen node in some fifteen seconds, unless it is to be patient: then in a minute.
    """
    checks = {"period_ms": 1000, "failure_threshold": 5, "timeout_ms": 10_000 if patient else 2000}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in checks.items():
            patch.setenv(f"RAY_health_check_{name}", str(value))
        with unjoined_cluster(*workers, head_cpus=head_cpus) as cluster:
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR", configure_logging=True)
            yield cluster


@contextmanager
def unjoined_cluster(*workers: dict[str, float], head_cpus: int = 0) -> Iterator[Any]:
    """The same without the driver: Ray ends a process that has lost its head. Who joins, leaves at the end."""
    from ray.cluster_utils import Cluster

    shared_ray.stop()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": head_cpus, "include_dashboard": False})
    try:
        for worker in workers:
            cluster.add_node(**worker)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def kill_head(cluster: Any) -> None:
    """Kills the head with its control service."""
    (service,) = cluster.head_node.all_processes["gcs_server"]
    signal_all([service.process.pid, *processes_of(cluster.head_node)], signal.SIGKILL)


def processes_of(node: Any) -> list[int]:
    """The raylet of one of the cluster's nodes and the workers below it."""
    (raylet,) = node.all_processes["raylet"]
    return [raylet.process.pid, *descendants(raylet.process.pid)]


def members_on(node: Any) -> list[int]:
    """The member actors of one node."""
    return [pid for pid in processes_of(node) if "ray::MemberActor" in title(pid)]


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
