"""How many members share a GPU best: pretended GPUs, so that the way through the code can be tested anywhere."""

from pathlib import Path
from typing import Any

import pytest
import ray
from factories import spec_of, write_kaggle_csv
from waiting import eventually

from digits_ray.config.schema import BaselinesConfig, Config, DataConfig, MembersConfig
from digits_ray.runs import pipeline
from digits_ray.runs.callbacks import RunCallback
from digits_ray.scheduling import gpu_sharing
from digits_ray.scheduling.resources import NodeTotals, Plan, max_members_per_gpu
from digits_ray.scheduling.session import live_nodes_by_id

pytestmark = pytest.mark.slow


@pytest.fixture
def one_gpu(ray_with_a_gpu: None) -> str:
    """The id of the only node of a Ray that believes it has one GPU and four CPUs."""
    (node_id,) = live_nodes_by_id()
    return node_id


class Watcher(RunCallback):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.tried, self.plans = 0, list[Plan]()

    def on_gpu_sharing_trial(self, most: int) -> None:
        self.tried = most

    def on_plan(self, plan: Plan, members: int, missing: int, path: str) -> None:
        self.plans.append(plan)


def test_1_2_and_4_are_tried_side_by_side_and_leave_nothing_behind(one_gpu: str) -> None:
    throughputs = gpu_sharing.measure_throughputs(spec_of(), (8, 8), 3, one_gpu, max_members=4)
    assert [each.members for each in throughputs] == [1, 2, 4]
    assert min(each.images_per_second for each in throughputs) > 0
    assert eventually(lambda: ray.available_resources().get("GPU") == 1)


def test_what_cannot_be_trained_is_left_to_the_member_to_tell(one_gpu: str) -> None:
    assert gpu_sharing.measure_throughputs(spec_of(architecture="unheard of"), (8, 8), 3, one_gpu, max_members=2) == []


def test_fewer_are_tried_where_more_do_not_fit(one_gpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_fit(probes: list[Any], *given: Any) -> bool:
        return len(probes) < 4 and really_all_fit(probes, *given)

    really_all_fit = gpu_sharing._all_fit
    monkeypatch.setattr(gpu_sharing, "_all_fit", all_fit)
    throughputs = gpu_sharing.measure_throughputs(spec_of(), (8, 8), 3, one_gpu, max_members=4)
    assert [each.members for each in throughputs] == [1, 2]


def test_a_run_tries_it_where_members_outnumber_gpus_and_nobody_has_said_it(
    one_gpu: str, numpy_members: None, tmp_path: Path
) -> None:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 90)))
    members = MembersConfig(count=2, architectures=("compact",), recipe=spec_of(epochs=1).recipe)
    config = Config(out=str(tmp_path / "run"), data=data, members=members, baselines=BaselinesConfig(enabled=False))
    view = Watcher()
    found = pipeline.run(config, [view])
    assert view.tried == 2
    assert "tried on one: 1: " in view.plans[0].reason
    assert view.plans[0].gpus_per_member in (1.0, 0.5)
    assert found.metrics["ensemble"]["members_used"] == 2


@pytest.mark.parametrize(
    ("cpus", "gpus", "in_all", "members", "most"),
    [(16, 1, 1, 20, 16), (16, 1, 1, 100, 16), (16, 4, 4, 24, 4), (16, 4, 4, 4, 1), (8, 1, 3, 20, 4), (2, 4, 4, 99, 1)],
)
def test_no_more_are_tried_than_there_are_members_and_cpus(
    cpus: int, gpus: int, in_all: int, members: int, most: int
) -> None:
    nodes = [NodeTotals("node", cpus, gpus, None)] * (in_all // gpus)
    assert max_members_per_gpu(nodes, members) == most


def test_the_fewest_that_are_as_good_as_any_are_chosen() -> None:
    throughputs = [gpu_sharing.Throughput(*each) for each in ((1, 1000), (2, 1900), (4, 2500), (8, 2550))]
    assert gpu_sharing.best_throughput(throughputs).members == 4
    assert gpu_sharing.best_throughput(throughputs[:1]).members == 1
    assert gpu_sharing.best_throughput([throughputs[0], gpu_sharing.Throughput(2, 600)]).members == 1
