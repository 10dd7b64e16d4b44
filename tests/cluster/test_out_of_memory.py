"""Ray's own memory monitor kills a member's process: it comes back with twice the resources."""

import re
from pathlib import Path

import pytest
import ray
from factories import same, spec_of
from nodes import cluster_of
from training import REAL, results, train

from digits_ray.progress import MemberStatus
from digits_ray.scheduling.resources import plan
from digits_ray.scheduling.session import live_nodes
from digits_ray.scheduling.trainer import RetryPolicy

pytestmark = pytest.mark.chaos

STINGY = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "250"}  # always too much in use


def test_a_member_killed_for_its_memory_gets_twice_the_resources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member runs out of memory: a real network."""
    failures: list[str] = []
    held: list[float] = []  # CPUs, by all that runs on the new node
    with cluster_of() as cluster:
        for name, value in STINGY.items():
            monkeypatch.setenv(name, value)
        small = cluster.add_node(num_cpus=2)
        for name in STINGY:
            monkeypatch.delenv(name)

        def watch(statuses: list[MemberStatus]) -> None:
            failure = statuses[0].last_failure
            if failure and not failures:
                failures.append(failure)
                cluster.add_node(num_cpus=4)
                cluster.remove_node(small)
            if failures and statuses[0].state == "training":
                held.append(ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0.0))

        policy = RetryPolicy(max_failures=10)
        found = train(
            [spec_of(0, epochs=60)],
            tmp_path,
            plan=lambda left: plan(live_nodes(), 2, 0, 1),
            on_status=watch,
            policy=policy,
            prepare_fit=REAL,
        )
        undisturbed = train([spec_of(0, epochs=60)], tmp_path / "undisturbed", prepare_fit=REAL)
    assert "OutOfMemoryError" in failures[0]
    (times,) = re.findall(r"It gets (\d+) times the resources\.", failures[0])
    assert int(times) >= 2  # it may have been killed more than once before the driver was asked
    assert held[-1] >= 2
    assert results(found)[0].attempts > 1
    assert same(results(found)[0], results(undisturbed)[0])
