"""The searches on a cluster whose nodes come when they are asked for."""

from pathlib import Path
from typing import Any

import pytest
from factories import write_kaggle_csv
from nodes import cluster_of, processes_of
from processes import title

from digits_ray.config.baselines_schema import BaselinesConfig, ForestSpace, KnnSpace, TreeSpace
from digits_ray.config.schema import Config, DataConfig, ResourcesConfig
from digits_ray.progress import SearchStatus
from digits_ray.runs.callbacks import RunCallback
from digits_ray.runs.pipeline import tune

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("numpy_members")]

SMALL = BaselinesConfig(
    knn=KnnSpace((1, 3), ("uniform",), ("euclidean", "manhattan"), (False, True), (0,)),
    tree=TreeSpace((False,)),
    forest=ForestSpace((2, 4, 8), ("extra_trees", "random_forest"), (False, True), ("sqrt",), (1, 30)),
)


class Autoscaler(RunCallback):
    """Adds two nodes when the run says that it waits, and remembers which had trials."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.reason, self.busy = cluster, "", set[int]()

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        if not self.reason:
            self.reason = reason
            for _ in range(2):
                self.cluster.add_node(num_cpus=1)

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        for number, node in enumerate(self.cluster.worker_nodes):
            if any("ray::ImplicitFunc" in title(pid) for pid in processes_of(node)):
                self.busy.add(number)


def test_a_search_waits_for_nodes_and_uses_all_of_them(tmp_path: Path) -> None:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 120)))
    with cluster_of() as cluster:
        view = Autoscaler(cluster)
        found = tune(
            Config(out=str(tmp_path / "run"), data=data, baselines=SMALL, resources=ResourcesConfig(wait_minutes=5)),
            [view],
        )
    assert "CPU" in view.reason
    assert view.busy == {0, 1}
    assert {record["status"] for record in found.metrics["baselines"].values()} == {"done"}
