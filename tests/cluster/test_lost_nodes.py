"""Members on several nodes: nodes that die, freeze, leave with a warning, and join late."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from factories import same, spec_of
from gate import Fault, close_gate, open_gate
from nodes import MEMBER_GPUS, cluster_of, members_on, processes_of, signal_all
from training import REAL, results, train
from waiting import eventually

from digits_ray.ensemble.predictions import MemberResult
from digits_ray.errors import RunError
from digits_ray.progress import MemberStatus
from digits_ray.scheduling.resources import Plan, plan
from digits_ray.scheduling.session import live_nodes
from digits_ray.scheduling.trainer import RetryPolicy

pytestmark = pytest.mark.chaos

EPOCHS = 12
SPECS = [spec_of(number, seed=number, epochs=EPOCHS) for number in range(4)]


def half_a_gpu_each(left: int) -> Plan:
    return plan(live_nodes(), 4, 0.5, 1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(MEMBER_GPUS, MEMBER_GPUS) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[int, MemberResult]:
    """Real networks."""
    return results(train(SPECS, tmp_path_factory.mktemp("calm"), plan=half_a_gpu_each, prepare_fit=REAL))


def once(when: Callable[[list[MemberStatus]], bool], do: Callable[[], None]) -> Callable[[list[MemberStatus]], None]:
    done: list[bool] = []

    def watch(statuses: list[MemberStatus]) -> None:
        if not done and when(statuses):
            done.append(True)
            do()

    return watch


def test_members_of_a_node_that_dies_end_as_if_nothing_had_happened(
    cluster: Any, undisturbed: dict[int, MemberResult], tmp_path: Path
) -> None:
    """A node dies: real networks."""
    lost = cluster.add_node(**MEMBER_GPUS)

    def kill_node() -> None:
        cluster.remove_node(lost, allow_graceful=False)

    fault = Fault(kill_node)
    found = results(train(SPECS, tmp_path, plan=half_a_gpu_each, on_status=fault, prepare_fit=REAL))
    assert all(same(found[number], undisturbed[number]) for number in undisturbed)
    assert max(result.attempts for result in found.values()) > 1
    assert fault.repeated_two_at_most(found)


def test_members_of_half_of_the_nodes_end_as_if_nothing_had_happened(cluster: Any, tmp_path: Path) -> None:
    undisturbed = results(train(SPECS, tmp_path / "calm", plan=half_a_gpu_each))
    lost = [cluster.add_node(**MEMBER_GPUS) for _ in range(2)]

    def kill_half() -> None:
        signal_all([pid for node in lost for pid in processes_of(node)], signal.SIGKILL)

    fault = Fault(kill_half)
    try:
        found = results(
            train(SPECS, tmp_path / "rough", plan=lambda left: plan(live_nodes(), 4, 1, 1), on_status=fault)
        )
    finally:
        for node in lost:
            cluster.remove_node(node, allow_graceful=False)
    assert all(same(found[number], undisturbed[number]) for number in undisturbed)
    assert sum(result.attempts > 1 for result in found.values()) == 2  # one a node
    assert fault.repeated_two_at_most(found)


def test_a_frozen_node_loses_its_members_to_others_and_does_no_harm_when_it_comes_back(
    cluster: Any, undisturbed: dict[int, MemberResult], tmp_path: Path
) -> None:
    """A node freezes and comes back: real networks."""
    frozen = cluster.add_node(**MEMBER_GPUS)
    stopped: list[int] = []

    def freeze() -> None:
        stopped.extend(processes_of(frozen))
        signal_all(stopped, signal.SIGSTOP)

    def watch(statuses: list[MemberStatus]) -> None:
        fault(statuses)
        if stopped and any(status.attempt > 1 and status.state == "training" for status in statuses):
            signal_all(stopped, signal.SIGCONT)

    fault = Fault(freeze)
    try:
        found = results(train(SPECS, tmp_path, plan=half_a_gpu_each, on_status=watch, prepare_fit=REAL))
    finally:
        signal_all(stopped, signal.SIGCONT)
        cluster.remove_node(frozen, allow_graceful=False)
    assert stopped
    assert all(same(found[number], undisturbed[number]) for number in undisturbed)
    assert max(result.attempts for result in found.values()) > 1
    assert fault.repeated_two_at_most(found)


def test_a_frozen_process_is_noticed_by_its_silence(
    cluster: Any, undisturbed: dict[int, MemberResult], tmp_path: Path
) -> None:
    """A member's process freezes: real networks."""
    stopped: list[int] = []

    def freeze_one() -> None:
        stopped.extend(next(found for node in cluster.worker_nodes if (found := members_on(node)))[:1])
        signal_all(stopped, signal.SIGSTOP)

    policy = RetryPolicy(silence_timeout=10)
    fault = Fault(freeze_one)
    try:
        found = results(train(SPECS, tmp_path, plan=half_a_gpu_each, on_status=fault, policy=policy, prepare_fit=REAL))
    finally:
        signal_all(stopped, signal.SIGKILL)
    assert len(stopped) == 1
    assert fault.repeated_two_at_most(found)
    assert all(same(found[number], undisturbed[number]) for number in undisturbed)


def test_a_node_that_is_warned_takes_nothing_new_and_its_members_go_on_elsewhere(
    cluster: Any, undisturbed: dict[int, MemberResult], tmp_path: Path
) -> None:
    """A spot node is warned: real networks."""
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    leaving = cluster.add_node(**MEMBER_GPUS)
    preempted = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    counted: list[int] = []

    def warn() -> None:
        before, deadline = len(live_nodes()), int(1000 * (time.time() + 3))
        client = GcsClient(address=cluster.address)
        accepted, reason = client.drain_node(leaving.node_id, preempted, "spot node is reclaimed", deadline)
        assert accepted, reason
        counted.extend([before, len(live_nodes())])
        cluster.remove_node(leaving, allow_graceful=False)

    fault = Fault(warn)
    found = results(train(SPECS, tmp_path, plan=half_a_gpu_each, on_status=fault, prepare_fit=REAL))
    assert counted[1] == counted[0] - 1
    assert fault.repeated_two_at_most(found)
    assert all(same(found[number], undisturbed[number]) for number in undisturbed)


def test_gpu_members_never_run_on_a_node_without_gpus(cluster: Any, tmp_path: Path) -> None:
    plain = cluster.add_node(num_cpus=8, num_gpus=0)
    seen: list[int] = []
    try:
        train(SPECS, tmp_path, plan=half_a_gpu_each, on_status=lambda statuses: seen.extend(members_on(plain)))
    finally:
        cluster.remove_node(plain, allow_graceful=False)
    assert seen == []


def test_a_node_that_joins_late_takes_members_at_once(cluster: Any, tmp_path: Path) -> None:
    specs = [spec_of(number, seed=number, epochs=EPOCHS) for number in range(10)]
    joined: list[Any] = []
    busy: list[int] = []

    def watch(statuses: list[MemberStatus]) -> None:
        if not joined and any(status.state == "training" for status in statuses):
            joined.append(cluster.add_node(**MEMBER_GPUS))
        busy.extend(members_on(joined[0]) if joined else [])
        if busy:
            open_gate()

    def all_there_is(left: int) -> Plan:
        return plan(live_nodes(), 10, 0.5, 1)

    close_gate()
    try:
        results(train(specs, tmp_path, plan=all_there_is, on_status=watch))
    finally:
        cluster.remove_node(joined[0], allow_graceful=False)
    assert busy


@ray.remote(**MEMBER_GPUS)
class Holder:
    """Takes a whole node."""

    def hold(self) -> None:
        """Returns when it is there."""


def test_a_run_whose_last_node_is_gone_ends_after_a_while_with_the_reason(tmp_path: Path, cluster: Any) -> None:
    """No node is left: real networks."""
    assert eventually(lambda: len(live_nodes()) == 3)  # those that earlier tests added are gone
    holders = [Holder.remote() for _ in cluster.worker_nodes]  # of all other places that a member could have
    ray.get([holder.hold.remote() for holder in holders])
    only = cluster.add_node(num_cpus=1, num_gpus=0)
    need_it = lambda left: plan([node for node in live_nodes() if node.cpus == 1], 1, 0, 1)  # noqa: E731
    specs = [spec_of(number, epochs=500) for number in range(2)]

    def kill_node() -> None:
        cluster.remove_node(only, allow_graceful=False)

    watch = once(lambda statuses: any(status.state == "training" for status in statuses), kill_node)
    policy = RetryPolicy(no_node_timeout=3)
    try:
        with pytest.raises(RunError, match="no node can hold one"):
            train(specs, tmp_path, plan=need_it, on_status=watch, policy=policy, prepare_fit=REAL)
    finally:
        for holder in holders:
            ray.kill(holder)


def test_nodes_are_counted_as_ray_knows_them(cluster: Any) -> None:
    assert len(live_nodes()) == len([node for node in ray.nodes() if node["Alive"]])
