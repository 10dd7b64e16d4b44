"""What the nodes report: equal nodes in one line, and what the user must change."""

from dataclasses import replace

from digits_ray.doctor.node_reports import (
    ClusterReport,
    MissingReport,
    NodeReport,
    StorageAccess,
    facts,
    problems,
)
from digits_ray.scheduling.resources import NodeTotals

DRIVER_VERSIONS = (("python", "3.12.1"), ("tensorflow", "2.21.0"), ("digits-ray", "0.1.0 (12345678)"))


def report_of(number: int, **differently: object) -> NodeReport:
    values = {
        "device": "NVIDIA H200",
        "gpus": 2,
        "precision": "bfloat16",
        "storage": StorageAccess.SHARED,
        "token": True,
    }
    return NodeReport(f"{number:08x}{'0' * 48}", DRIVER_VERSIONS, **{**values, **differently})  # type: ignore[arg-type]


def cluster_of(*reports: NodeReport | MissingReport, gpus: float = 2) -> ClusterReport:
    names = {report.node_id: f"gpu-{number}" for number, report in enumerate(reports)}
    totals = {node_id: NodeTotals(name, 16, gpus, 60.0 + len(name)) for node_id, name in names.items()}
    return ClusterReport(totals, reports)


def test_equal_nodes_are_one_line_however_many_they_are() -> None:
    cluster = cluster_of(*(report_of(number) for number in range(64)))
    assert facts(cluster, DRIVER_VERSIONS) == [
        (
            "nodes",
            "64 nodes (gpu-0, gpu-1, gpu-2, …): 16 CPUs, 2 GPUs · NVIDIA H200, auto: bfloat16"
            " · sees --out and can write there · 65 to 66 GiB",
        ),
        ("versions", "the same here and on 64 nodes"),
        ("authentication", "token"),
    ]
    assert problems(cluster, DRIVER_VERSIONS, on_gpus=True) == []


def test_nodes_that_differ_have_lines_of_their_own_the_most_frequent_kind_first() -> None:
    other = report_of(0, device="Tesla T4", precision="float32", storage=StorageAccess.SEPARATE)
    lines = [
        text for name, text in facts(cluster_of(other, report_of(1), report_of(2)), DRIVER_VERSIONS) if name == "nodes"
    ]
    assert lines[0].startswith("2 nodes (gpu-1, gpu-2): 16 CPUs")
    assert lines[1].startswith("gpu-0: 16 CPUs, 2 GPUs · Tesla T4, auto: float32 · does not see --out")


def test_other_versions_are_a_problem_that_names_nodes_and_both_versions() -> None:
    old = (("python", "3.12.1"), ("tensorflow", "2.20.0"), ("digits-ray", "0.1.0 (87654321)"))
    cluster = cluster_of(report_of(0), *(replace(report_of(number), versions=old) for number in (1, 2)))
    tensorflow, ours = problems(cluster, DRIVER_VERSIONS, on_gpus=True)
    assert tensorflow.startswith("2 nodes (gpu-1 (00000001), gpu-2 (00000002)): tensorflow 2.20.0 there, 2.21.0 here.")
    assert "cluster/constraints.txt" in tensorflow
    assert "digits-ray 0.1.0 (87654321) there, 0.1.0 (12345678) here" in ours
    assert "versions" not in dict(facts(cluster, DRIVER_VERSIONS))


def test_gpus_that_tensorflow_does_not_see_matter_only_to_gpu_members() -> None:
    cluster = cluster_of(report_of(0, gpus=0, device="cpu"), gpus=2)
    (problem,) = problems(cluster, DRIVER_VERSIONS, on_gpus=True)
    assert problem.startswith("gpu-0 (00000000): of 2 GPUs by Ray's count TensorFlow sees 0. Install")
    assert problems(cluster, DRIVER_VERSIONS, on_gpus=False) == []
    assert "2 GPUs (TensorFlow sees 0)" in dict(facts(cluster, DRIVER_VERSIONS))["nodes"]


def test_gpus_that_jax_does_not_see_need_jax_with_cuda() -> None:
    cluster = cluster_of(report_of(0, gpus=1, backend="jax"), gpus=2)
    (problem,) = problems(cluster, DRIVER_VERSIONS, on_gpus=True)
    assert "JAX sees 1. Install JAX with CUDA there (the extra `jax-cuda`)" in problem
    assert "2 GPUs (JAX sees 1)" in dict(facts(cluster, DRIVER_VERSIONS))["nodes"]


def test_a_node_that_does_not_answer_is_named() -> None:
    cluster = cluster_of(report_of(0), MissingReport(report_of(1).node_id, "no answer within 60 s."))
    assert problems(cluster, DRIVER_VERSIONS, on_gpus=True) == ["gpu-1 (00000001): no answer within 60 s."]


def test_storage_that_a_node_cannot_use_is_a_problem_and_a_disk_of_its_own_is_none() -> None:
    cluster = cluster_of(
        report_of(0, storage=StorageAccess.SEPARATE),
        report_of(1, storage=StorageAccess.FAILED, storage_error="s3://b/.doctor: access denied."),
    )
    assert problems(cluster, DRIVER_VERSIONS, on_gpus=True) == [
        "gpu-1 (00000001): cannot use --out. s3://b/.doctor: access denied."
    ]


def test_a_node_without_a_token_is_a_fact_with_its_cure() -> None:
    text = dict(facts(cluster_of(report_of(0), report_of(1, token=False)), DRIVER_VERSIONS))["authentication"]
    assert text.startswith("off")
    assert "RAY_AUTH_MODE=token" in text


def test_a_cluster_of_which_no_node_answers_has_problems_alone() -> None:
    cluster = cluster_of(MissingReport("a" * 56, "no answer within 60 s."))
    assert facts(cluster, DRIVER_VERSIONS) == []
    assert len(problems(cluster, DRIVER_VERSIONS, on_gpus=True)) == 1
