"""What nodes tell of their GPUs before a run, and the plan made of it: pretended GPUs, a stand-in for nvidia-smi."""

import os
from pathlib import Path

import pytest
from factories import spec_of, write_kaggle_csv
from nodes import MEMBER_GPUS, cluster_of
from waiting import LIMIT_SECONDS

from digits_ray.config.schema import BaselinesConfig, Config, DataConfig, MembersConfig
from digits_ray.runs import pipeline
from digits_ray.runs.callbacks import RunCallback
from digits_ray.scheduling.gpu_probe import probe_gpus
from digits_ray.scheduling.planner import plan_on_live_nodes
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.session import live_nodes_by_id
from digits_ray.training.device import Gpu

pytestmark = pytest.mark.slow

HELD = Gpu(0, "NVIDIA H100", 81559, 62720, ("4711 (python3)",))
ANSWER = """#!/bin/sh
case "$1" in
--query-gpu*) echo "0, GPU-aa, 81559, 62720, NVIDIA H100" ;;
*) echo "GPU-aa, 4711, /usr/bin/python3" ;;
esac
"""


@pytest.fixture
def nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tool that lists one GPU, most of which is in use; Ray's nodes find it too where they start afterwards."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(ANSWER)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("digits_ray.scheduling.gpu_probe.DEADLINE_SECONDS", LIMIT_SECONDS)  # nodes just starting


class Watcher(RunCallback):
    """Remembers the plan."""

    plan: Plan | None = None

    def on_plan(self, plan: Plan, members: int, missing: int, path: str) -> None:
        self.plan = plan


def test_each_node_tells_of_its_own_gpus_alone(nvidia_smi: None) -> None:
    with cluster_of(MEMBER_GPUS, {"num_cpus": 1, "num_gpus": 2}):
        nodes = live_nodes_by_id()
        (one_gpu,) = [node_id for node_id, node in nodes.items() if node.gpus == 1]
        assert probe_gpus(nodes) == {one_gpu: (HELD,)}  # of the other, Ray counts more than the tool lists
        plan = plan_on_live_nodes(Config(members=MembersConfig(count=20)))
    assert {node.gpu_gib for node in plan.nodes} == {81559 / 1024, None}
    assert "61.2 of 79.6 GiB are in use before the run starts by process 4711 (python3)" in plan.warnings[0]


def test_a_run_whose_members_outnumber_the_gpus_trains_two_on_each(
    ray_with_a_gpu: None, nvidia_smi: None, numpy_members: None, tmp_path: Path
) -> None:
    data = DataConfig(str(write_kaggle_csv(tmp_path / "train.csv", 90)))
    members = MembersConfig(count=3, architectures=("compact",), recipe=spec_of(epochs=1).recipe)
    config = Config(out=str(tmp_path / "run"), data=data, members=members, baselines=BaselinesConfig(enabled=False))
    watcher = Watcher()
    finished = pipeline.run(config, [watcher])
    assert watcher.plan is not None
    assert (watcher.plan.gpus_per_member, watcher.plan.slots, len(watcher.plan.warnings)) == (0.5, 2, 1)
    assert finished.metrics["ensemble"]["members_used"] == 3
    assert "two members share a GPU" in finished.metrics["environment"]["plan"]
