"""The searches on a cluster whose nodes come when they are asked for."""

import threading
from pathlib import Path
from typing import Any

import pytest
from factories import write_kaggle_csv
from nodes import cluster_of, processes_of
from processes import title

from digits_ray.config.baselines_schema import BaselinesConfig, ForestSpace, KnnSpace, TreeSpace
from digits_ray.config.schema import Config, DataConfig, ResourcesConfig
from digits_ray.runs.callbacks import RunCallback
from digits_ray.runs.pipeline import tune

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("numpy_members")]

SMALL = BaselinesConfig(
    knn=KnnSpace((1, 3), ("uniform",), ("euclidean", "manhattan"), (False, True), (0,)),
    tree=TreeSpace((False,)),
    forest=ForestSpace((2, 4, 8), ("extra_trees", "random_forest"), (False, True), ("sqrt",), (1, 30)),
)


NODES = 2


class Autoscaler(RunCallback):
    """Adds two nodes when the run says that it waits, and remembers which had trials."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.reason, self.busy, self.ended = cluster, "", set[int](), threading.Event()

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        if not self.reason:
            self.reason = reason
            for _ in range(NODES):
                self.cluster.add_node(num_cpus=1)
            threading.Thread(target=self.watch).start()

    def watch(self) -> None:
        """Notes the nodes that have trials, until all have had one."""
        while not self.ended.wait(0.1) and len(self.busy) < NODES:
            for number, node in enumerate(self.cluster.worker_nodes):
                if any("ray::ImplicitFunc" in title(pid) for pid in processes_of(node)):
                    self.busy.add(number)

    def on_run_end(self) -> None:
        self.ended.set()


def test_a_search_waits_for_nodes_and_uses_all_of_them(tmp_path: Path) -> None:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 120)))
    with cluster_of() as cluster:
        view = Autoscaler(cluster)
        found = tune(
            Config(out=str(tmp_path / "run"), data=data, baselines=SMALL, resources=ResourcesConfig(wait_minutes=5)),
            [view],
        )
    assert "CPU" in view.reason
    assert view.busy == set(range(NODES))
    assert {record["status"] for record in found.metrics["baselines"].values()} == {"done"}
