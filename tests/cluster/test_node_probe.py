"""`digits-ray doctor` on real nodes: what each reports, one with other packages, one that is frozen."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from nodes import MEMBER_GPUS, cluster_of, processes_of, signal_all
from s3_server import BUCKET, S3
from waiting import LIMIT_SECONDS, eventually

from digits_ray.config import loading
from digits_ray.doctor import node_reports
from digits_ray.doctor.checks import Findings, examine
from digits_ray.scheduling.session import live_nodes_by_id
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def cluster(s3: S3) -> Iterator[Any]:
    with cluster_of(MEMBER_GPUS, MEMBER_GPUS, patient=True) as running:
        yield running


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes of a loaded machine may take long to start the processes that answer."""
    from digits_ray.doctor import node_probe

    monkeypatch.setattr(node_probe, "probe_nodes", partial(node_probe.probe_nodes, deadline=LIMIT_SECONDS))


def examined(cluster: Any, out: Path, **flags: object) -> Findings:
    return examine(loading.load_config(flags={"resources.address": cluster.address, "out": str(out), **flags}))


def test_equal_nodes_agree_see_the_storage_and_leave_nothing_behind(cluster: Any, tmp_path: Path) -> None:
    findings = examined(cluster, tmp_path / "new" / "run", **{"resources.gpus_per_member": 0})
    facts = dict(findings.facts)
    (pair,) = [text for name, text in findings.facts if name == "nodes" and text.startswith("2 nodes")]
    assert "2 CPUs, 1 GPU (TensorFlow sees 0)" in pair
    assert "sees --out and can write there" in pair
    assert facts["versions"] == "the same here and on 3 nodes"
    assert facts["authentication"] == "token"
    assert "members at a time" in facts["plan"]
    assert findings.problems == []
    assert not (tmp_path / "new" / "run").exists()


def test_an_out_that_cannot_be_written_hides_nothing_of_the_nodes(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    findings = examined(cluster, tmp_path / "taken" / "run", **{"resources.gpus_per_member": 0})
    (problem,) = findings.problems
    assert str(tmp_path / "taken") in problem
    facts = dict(findings.facts)
    assert facts["versions"] == "the same here and on 3 nodes"
    assert "--out" not in str(findings.facts)
    assert "members at a time" in facts["plan"]


def test_pretended_gpus_are_a_problem_for_members_that_would_train_on_them(cluster: Any, tmp_path: Path) -> None:
    (problem,) = examined(cluster, tmp_path).problems
    assert problem.startswith("2 nodes")
    assert "of 1 GPUs by Ray's count TensorFlow sees 0" in problem


def test_a_node_with_another_keras_is_named_with_the_cure(cluster: Any, tmp_path: Path) -> None:
    package = tmp_path / "packages" / "keras-1.2.3.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 1.2.3\n")
    other = cluster.add_node(**MEMBER_GPUS, env_vars={"PYTHONPATH": str(package.parent)})
    try:
        findings = examined(cluster, tmp_path, **{"resources.gpus_per_member": 0})
    finally:
        cluster.remove_node(other, allow_graceful=False)
    (problem,) = findings.problems
    assert f"({other.node_id[:8]}): keras 1.2.3 there" in problem
    assert "versions" not in dict(findings.facts)


def test_a_node_that_cannot_reach_the_storage_is_named_and_others_write_there(cluster: Any, s3: S3) -> None:
    cut_off = cluster.add_node(**MEMBER_GPUS, env_vars={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    flags = {"resources.address": cluster.address, "resources.gpus_per_member": 0, "out": f"s3://{BUCKET}/run"}
    try:
        findings = examine(loading.load_config(flags=flags))
    finally:
        cluster.remove_node(cut_off, allow_graceful=False)
    troubles = [line for line in findings.problems if "cannot use --out" in line]
    assert len(troubles) == 1
    assert f"({cut_off.node_id[:8]}): cannot use --out" in troubles[0]
    assert "sees --out and can write there" in str(findings.facts)
    assert s3.names == set()


def test_a_cluster_that_asks_for_another_token_is_told_with_the_cure(cluster: Any) -> None:
    mine = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_NUM_REDIS_GET_RETRIES": "3"}
    command = [sys.executable, "-m", "digits_ray", "doctor", "--address", cluster.address]
    refused = subprocess.run(command, env=mine, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert refused.returncode == 2
    cure = "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's."
    assert f"the cluster asks for another token. {cure}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_frozen_node_is_named_within_the_deadline(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digits_ray.doctor.node_probe import probe_nodes, versions

    assert eventually(lambda: len(live_nodes_by_id()) == 3)  # a node of an earlier test is gone
    frozen = cluster.add_node(**MEMBER_GPUS)
    wait = ray.wait

    def until_the_others_answer(tasks: list[Any], num_returns: int, timeout: float) -> Any:
        return wait(tasks, num_returns=num_returns - 1, timeout=LIMIT_SECONDS)  # as if the deadline were then

    monkeypatch.setattr(ray, "wait", until_the_others_answer)
    probe = Store.at(str(tmp_path))
    mark, found = RunDirectory(probe).write_probe(), live_nodes_by_id()
    stopped = processes_of(frozen)
    signal_all(stopped, signal.SIGSTOP)
    try:
        seen = probe_nodes(found, probe, mark, on_gpus=False)
    finally:
        signal_all(stopped, signal.SIGCONT)
        cluster.remove_node(frozen, allow_graceful=False)
    (silent,) = seen.missing
    assert silent.node_id == frozen.node_id
    (problem,) = node_reports.problems(seen, versions(), on_gpus=False)
    assert f"({frozen.node_id[:8]})" in problem
    assert "End that node" in problem
    assert len(seen.received) == len(found) - 1
