"""Sixty members, some of them real networks, and something is killed every few seconds."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from factories import same, spec_of
from nodes import cluster_of, members_on, signal_all
from training import MIXED, train

from digits_ray.config import MemberSpec
from digits_ray.ensemble.predictions import MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.scheduling.resources import Plan, plan
from digits_ray.scheduling.session import live_nodes

pytestmark = pytest.mark.chaos

MEMBERS, KINDS, KILLS = 60, 4, 8
NODE = {"num_cpus": 2, "num_gpus": 1}
REAL_MEMBERS = 8  # the first ones


def spec(number: int) -> MemberSpec:
    architecture = "compact" if number < REAL_MEMBERS else "notebook"
    return spec_of(number, seed=number % KINDS, architecture=architecture, epochs=8)


SPECS = [spec(number) for number in range(MEMBERS)]


class Killer:
    """Kills a random member's process every few seconds; at two random turns its node, which another one replaces."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.random, self.kills, self.next = cluster, random.Random(0), 0, 0.0
        self.nodes_at = self.random.sample(range(KILLS), 2)

    def __call__(self, statuses: list[MemberStatus]) -> None:
        at_work = {pid: node for node in self.cluster.worker_nodes for pid in members_on(node)}
        if not at_work or self.kills == KILLS or time.monotonic() < self.next:
            return
        victim = self.random.choice(sorted(at_work))
        if self.kills in self.nodes_at:
            self.cluster.remove_node(at_work[victim], allow_graceful=False)
            self.cluster.add_node(**NODE)
        else:
            signal_all([victim], signal.SIGKILL)
        self.kills, self.next = self.kills + 1, time.monotonic() + self.random.uniform(1, 3)


def half_a_gpu_each(left: int) -> Plan:
    return plan(live_nodes(), left, 0.5, 1)


def test_every_member_finishes_once_with_the_numbers_that_it_would_have_had(tmp_path: Path) -> None:
    """Something is killed every few seconds: real networks among sixty members."""
    with cluster_of(NODE, NODE) as cluster:
        calm = [*SPECS[:KINDS], *SPECS[REAL_MEMBERS : REAL_MEMBERS + KINDS]]
        undisturbed = train(calm, tmp_path / "calm", plan=half_a_gpu_each, prepare_fit=MIXED)
        killer = Killer(cluster)
        found = train(SPECS, tmp_path / "rough", plan=half_a_gpu_each, on_status=killer, prepare_fit=MIXED)
    assert killer.kills == KILLS
    assert sorted(found) == list(range(MEMBERS))
    results = [found[number] for number in range(MEMBERS)]
    assert all(isinstance(result, MemberResult) for result in results)
    assert sum(result.attempts - 1 for result in results) >= KILLS - 1  # one may hit a process that was ending
    for result in results:
        first = 0 if result.member_id < REAL_MEMBERS else REAL_MEMBERS
        assert same(result, undisturbed[first + result.member_id % KINDS])
