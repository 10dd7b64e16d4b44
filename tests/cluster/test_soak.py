"""Sixty members, and something is killed every few seconds."""

import random
import signal
import time
from pathlib import Path
from typing import Any

from factories import same, spec_of
from nodes import cluster_of, members_on, signal_all
from training import train

from digits_ray.predictions import MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.resources import plan
from digits_ray.session import nodes

MEMBERS, KILLS, SECONDS_BETWEEN = 60, 6, 4.0
NODE = {"num_cpus": 2, "num_gpus": 1}
SPECS = [spec_of(number, seed=number % 4, epochs=8) for number in range(MEMBERS)]  # four kinds, told apart by seed


class Killer:
    """Kills a random member's process every few seconds; once, a whole node, and another one joins."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.random, self.kills, self.last = cluster, random.Random(0), 0, time.monotonic()

    def __call__(self, statuses: list[MemberStatus]) -> None:
        at_work = [pid for node in self.cluster.worker_nodes for pid in members_on(node)]
        if not at_work or self.kills == KILLS or time.monotonic() - self.last < SECONDS_BETWEEN:
            return
        self.kills, self.last = self.kills + 1, time.monotonic()
        if self.kills == KILLS // 2:
            self.cluster.remove_node(next(iter(self.cluster.worker_nodes)), allow_graceful=False)
            self.cluster.add_node(**NODE)
        else:
            signal_all([self.random.choice(at_work)], signal.SIGKILL)


def test_every_member_finishes_once_with_the_numbers_that_it_would_have_had(tmp_path: Path) -> None:
    with cluster_of(NODE, NODE) as cluster:
        killer = Killer(cluster)
        found = train(SPECS, tmp_path, plan=lambda left: plan(nodes(), left, 0.5, 1), on_status=killer)
    assert killer.kills == KILLS
    assert sorted(found) == list(range(MEMBERS))
    results = [found[number] for number in range(MEMBERS)]
    assert all(isinstance(result, MemberResult) for result in results)
    assert sum(result.attempts - 1 for result in results) >= KILLS - 1  # one may hit a process that was ending
    for result in results[4:]:
        assert same(result, results[result.member_id % 4])
