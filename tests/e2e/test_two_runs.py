"""Two runs of different users on one cluster."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ALONE, NUMPY_MEMBERS, digits_ray, started
from demands import cpus_asked_for
from factories import write_kaggle_csv
from nodes import cluster_of
from waiting import LIMIT_SECONDS, eventually

pytestmark = pytest.mark.slow

ONE_CPU = {"num_cpus": 1}
SMALL = [
    *ALONE, "--preset", "smoke", "--members", 2, "--epochs", 8, "--cpus-per-member", 1,
    "--set", "members.recipe.batch_size=16",
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(ONE_CPU, ONE_CPU) as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("data")
    return [write_kaggle_csv(folder / f"{seed}.csv", seed=seed) for seed in (1, 2)]


def words(cluster: Any, file: Path, out: Path) -> list[object]:
    return ["run", *SMALL, "--address", cluster.address, "--train", file, "--seed", file.stem, "--out", out]


def ended(run: subprocess.Popen[str]) -> None:
    _, errors = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 0, errors


def probabilities(out: Path) -> list[np.ndarray]:
    return [np.load(out / f"members/{number:03d}/predictions.npz")["holdout_proba"] for number in range(2)]


def test_two_runs_at_once_share_the_nodes_and_end_as_each_would_alone(
    cluster: Any, files: list[Path], tmp_path: Path
) -> None:
    together = [
        started(*words(cluster, file, tmp_path / f"together-{file.stem}"), altered=NUMPY_MEMBERS) for file in files
    ]
    for run in together:
        ended(run)
    for file in files:
        alone = digits_ray(*words(cluster, file, tmp_path / f"alone-{file.stem}"), altered=NUMPY_MEMBERS)
        assert alone.returncode == 0, alone.stderr
        pairs = [probabilities(tmp_path / f"{kind}-{file.stem}") for kind in ("together", "alone")]
        np.testing.assert_array_equal(*pairs)
    assert not np.array_equal(probabilities(tmp_path / "alone-1"), probabilities(tmp_path / "alone-2"))


def test_an_autoscaler_sees_what_each_of_two_waiting_runs_lacks_until_the_run_is_gone(
    cluster: Any, files: list[Path], tmp_path: Path
) -> None:
    def waiting(cpus: int) -> subprocess.Popen[str]:
        more = ["--cpus-per-member", cpus, "--set", "resources.wait_minutes=10"]
        return started(*words(cluster, files[0], tmp_path / str(cpus)), *more, altered=NUMPY_MEMBERS)

    runs = [waiting(cpus) for cpus in (3, 5)]
    try:
        assert eventually(lambda: cpus_asked_for(cluster.address) == {3.0: 2, 5.0: 2}), cpus_asked_for(cluster.address)
        runs[0].kill()
        assert eventually(lambda: cpus_asked_for(cluster.address) == {5.0: 2}), cpus_asked_for(cluster.address)
        cluster.add_node(num_cpus=5)
        ended(runs[1])
        assert eventually(lambda: cpus_asked_for(cluster.address) == {}), cpus_asked_for(cluster.address)
    finally:
        for run in runs:
            run.kill()
            run.communicate()
