"""One dataset in Ray's object store, copied by actors that hold every CPU."""

import os
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shared_ray

from digits_ray.data import TEST, Data, Rows, combine_rows, fetch_rows, open_rows, put_dataset, stream_rows
from digits_ray.data.ray_dataset import GIB
from digits_ray.data.rows import random_blocks

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
ray = pytest.importorskip("ray")

pytestmark = pytest.mark.slow

SIDE = 28
CPUS = 2
DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    shared_ray.stop()  # one without a single actor is needed
    modules = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # workers import this file too
    ray.init(
        address="local",
        num_cpus=CPUS,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": modules},
    )
    yield
    ray.shutdown()


def sample_rows(rows: int, test_rows: int) -> Rows:
    random = np.random.default_rng(0)
    data = Data(
        images=random.integers(0, 256, (rows, SIDE, SIDE), dtype=np.uint8),
        labels=(np.arange(rows) % 10).astype(np.int32),
        classes=tuple(range(10)),
        test_images=random.integers(0, 256, (test_rows, SIDE, SIDE), dtype=np.uint8),
        train_source="train.csv",
        test_source="test.csv",
    )
    return combine_rows(data, (np.arange(rows) % 5).astype(np.int16))


def in_blocks(rows: Rows, rows_per_block: int) -> Rows:
    return replace(rows, blocks=random_blocks(len(rows.images), rows_per_block))


def assert_same(one: Rows, other: Rows) -> None:
    assert one.num_classes == other.num_classes
    for name in ("images", "labels", "row_ids", "folds", "blocks"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)
    assert (one.groups is None) == (other.groups is None)
    assert one.groups is None or np.array_equal(one.groups, other.groups)
    assert (one.soft_labels is None) == (other.soft_labels is None)
    assert one.soft_labels is None or np.array_equal(one.soft_labels, other.soft_labels)


@ray.remote(num_cpus=CPUS)
class Greedy:
    """Holds every CPU of the cluster."""

    def fetch(self, dataset: "ray.data.Dataset") -> Rows:
        return fetch_rows(dataset, 10)

    def own_memory(self, small: "ray.data.Dataset", large: "ray.data.Dataset") -> dict[str, int]:
        """Bytes that a fetch takes from this process: at its peak, and in the end by the kernel's count."""
        fetch_rows(small, 10)  # imports what fetching needs
        before = anonymous_bytes()
        tracemalloc.start()
        rows = fetch_rows(large, 10)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return {"images": rows.images.nbytes, "peak": peak, "kept": anonymous_bytes() - before}

    def stream(self, dataset: "ray.data.Dataset", budget: int) -> dict[str, Any]:
        """Takes every row of an epoch, and of a prediction, under a budget in bytes."""
        stream_rows(dataset, 10)  # imports what streaming needs
        before = anonymous_bytes()
        rows = open_rows(dataset, 10, budget / GIB)
        sums = np.zeros(len(rows.labels), np.int64)
        for order in (rows.epoch_order(rows.train_index(0), 1, 0), rows.sorted_by_block(rows.holdout_index(0))):
            for batch in np.array_split(order, len(order) // 100):
                sums[batch] = rows.images_at(batch).sum(axis=(1, 2))
        return {"form": type(rows).__name__, "sums": sums, "memory": anonymous_bytes() - before}


def anonymous_bytes() -> int:
    """This process's own memory; Ray's shared blocks are not in it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


@pytest.mark.usefixtures("cluster")
def test_sharing_and_reading_start_no_actors_of_ray_data() -> None:
    """They would cost every start seconds, and keep an autoscaled node; the tests below may start some."""
    dataset = put_dataset(sample_rows(20, 5))
    fetch_rows(dataset, 10)
    open_rows(dataset, 10, gib=0).images_at(np.arange(3))
    assert ray.util.list_named_actors(all_namespaces=True) == []


@pytest.mark.usefixtures("cluster")
def test_rows_come_back_as_they_were_shared() -> None:
    rows = sample_rows(100, 30)
    assert_same(fetch_rows(put_dataset(rows), 10), rows)


@pytest.mark.usefixtures("cluster")
def test_rows_of_many_blocks_come_back_in_order() -> None:
    rows = replace(in_blocks(sample_rows(100, 30), 7), groups=(np.arange(130) // 3).astype(np.int32))
    rows = replace(rows, soft_labels=np.random.default_rng(0).random((130, 10)).astype(np.float32))
    dataset = put_dataset(rows)
    assert dataset.num_blocks() == 19
    assert_same(fetch_rows(dataset, 10), rows)
    assert np.array_equal(stream_rows(dataset, 10).groups, rows.groups)
    assert np.array_equal(stream_rows(dataset, 10).soft_labels, rows.soft_labels)


@pytest.mark.usefixtures("cluster")
def test_rows_without_a_test_part_are_shared() -> None:
    rows = sample_rows(20, 0)
    assert_same(fetch_rows(put_dataset(rows), 10), rows)


@pytest.mark.usefixtures("cluster")
def test_the_dataset_is_ready_and_holds_images_as_one_tensor_column() -> None:
    dataset = put_dataset(sample_rows(20, 5))
    assert isinstance(dataset, ray.data.dataset.MaterializedDataset)
    assert dataset.schema().names == ["image", "label", "row_id", "fold", "position", "block"]
    batch = next(iter(dataset.iter_batches(batch_size=None, batch_format="numpy")))
    assert batch["image"].shape == (25, SIDE, SIDE)
    assert batch["image"].dtype == np.uint8
    assert (batch["label"][batch["fold"] == TEST] == -1).all()


@pytest.mark.usefixtures("cluster")
def test_an_actor_that_holds_every_cpu_can_fetch() -> None:
    rows = sample_rows(100, 30)
    dataset = put_dataset(rows)
    actor = Greedy.remote()
    assert_same(ray.get(actor.fetch.remote(dataset), timeout=DEADLINE_SECONDS), rows)


@pytest.mark.usefixtures("cluster")
def test_fetching_takes_at_most_a_fifth_more_memory_than_the_images() -> None:
    small, large = put_dataset(sample_rows(100, 30)), put_dataset(sample_rows(42_000, 28_000))
    actor = Greedy.remote()
    used = ray.get(actor.own_memory.remote(small, large), timeout=DEADLINE_SECONDS)
    assert used["images"] == 70_000 * SIDE * SIDE
    assert used["peak"] <= 1.2 * used["images"]
    assert used["kept"] <= 1.2 * used["images"]


@pytest.mark.usefixtures("cluster")
def test_an_actors_copy_may_be_written_to() -> None:
    rows = fetch_rows(put_dataset(sample_rows(20, 5)), 10)
    rows.images[0] = 0
    assert rows.images.flags.owndata


@pytest.mark.usefixtures("cluster")
def test_data_beyond_the_budget_stream_below_it_while_every_cpu_is_held() -> None:
    rows = in_blocks(sample_rows(70_000, 0), 4_000)  # 55 MB in 18 blocks
    dataset, budget = put_dataset(rows), rows.images.nbytes // 4
    streamed = ray.get(Greedy.remote().stream.remote(dataset, budget), timeout=DEADLINE_SECONDS)
    assert streamed["form"] == "StreamedRows"
    assert np.array_equal(streamed["sums"], rows.images.sum(axis=(1, 2)))
    assert streamed["memory"] < budget


@pytest.mark.usefixtures("cluster")
def test_data_within_the_budget_are_copied() -> None:
    dataset = put_dataset(sample_rows(100, 30))
    assert isinstance(open_rows(dataset, 10, dataset.size_bytes() / GIB), Rows)
    assert not isinstance(open_rows(dataset, 10, (dataset.size_bytes() - 1) / GIB), Rows)
