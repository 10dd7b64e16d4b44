"""One materialised Ray Dataset for every actor, and an actor's own copy of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.data.loading import Data

if TYPE_CHECKING:
    import ray.data

TRAIN_ONLY = -1  # fold of a labelled row that never scores
TEST = -2  # fold of a row without a label

_BLOCK_BYTES = 64 << 20  # of images; half of Ray's largest block, so that big data spills and travels in parts


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a run in memory: the labelled ones, then the test rows, each by row id."""

    images: np.ndarray  # (rows, height, width) uint8
    labels: np.ndarray  # (rows,) int32 index into the classes; -1 for test rows
    row_ids: np.ndarray  # (rows,) int64 position in the row's own file, from 0
    folds: np.ndarray  # (rows,) int16 fold, TRAIN_ONLY or TEST
    num_classes: int

    def train_index(self, fold: int) -> np.ndarray:
        """Positions, int64, of the labelled rows that a member of this fold trains on."""
        return np.flatnonzero((self.folds != TEST) & (self.folds != self._existing(fold)))

    def holdout_index(self, fold: int) -> np.ndarray:
        """Positions, int64, of the labelled rows that a member of this fold scores."""
        return np.flatnonzero(self.folds == self._existing(fold))

    def test_index(self) -> np.ndarray:
        """Positions, int64, of the rows without a label."""
        return np.flatnonzero(self.folds == TEST)

    def _existing(self, fold: int) -> int:
        last = max(0, int(self.folds.max()))
        if not 0 <= fold <= last:
            raise ValueError(f"fold={fold}: the rows have folds 0 to {last}")
        return fold


def gather(data: Data, folds: np.ndarray) -> Rows:
    """Puts labelled and test rows together.

    Args:
        data: The run's data.
        folds: (labelled_rows,) int16, from `split`.
    """
    if folds.shape != data.labels.shape:
        raise ValueError(f"{len(folds)} folds for {len(data.labels)} labelled rows")
    rows, test_rows = len(data.images), len(data.test_images)
    return Rows(
        images=np.concatenate([data.images, data.test_images]),
        labels=np.concatenate([data.labels, np.full(test_rows, -1)]).astype(np.int32),
        row_ids=np.concatenate([np.arange(rows), np.arange(test_rows)]),
        folds=np.concatenate([folds, np.full(test_rows, TEST)]).astype(np.int16),
        num_classes=len(data.classes),
    )


def share(rows: Rows) -> "ray.data.Dataset":
    """Puts the rows into Ray's object store, once for all actors; the caller has called `ray.init`.

    Returns:
        A materialised dataset with columns image (height, width) uint8, label, row_id and fold. It can be
        read while actors hold every CPU.
    """
    import pyarrow as pa
    import ray.data
    from ray.data.extensions import ArrowTensorArray

    step = max(1, _BLOCK_BYTES // rows.images[0].nbytes)
    blocks = [slice(start, start + step) for start in range(0, len(rows.images), step)]
    return ray.data.from_arrow(
        [
            pa.table(
                {
                    "image": ArrowTensorArray.from_numpy(rows.images[block]),
                    "label": rows.labels[block],
                    "row_id": rows.row_ids[block],
                    "fold": rows.folds[block],
                }
            )
            for block in blocks
        ]
    )


def fetch(dataset: "ray.data.Dataset", num_classes: int) -> Rows:
    """Copies a shared dataset into this process's memory: one pass, a fixed row order, no free CPU needed.

    Args:
        dataset: From `share`.
        num_classes: Number of classes.
    """
    batches = dataset.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
    return assemble(batches, dataset.count(), num_classes)


def assemble(batches: Iterable[Mapping[str, Any]], rows: int, num_classes: int) -> Rows:
    """Fills preallocated arrays batch by batch, so that memory holds one copy, and orders the rows.

    Args:
        batches: With columns image, label, row_id and fold, in any order.
        rows: Their number in all.
        num_classes: Number of classes.
    """
    columns: dict[str, np.ndarray] = {}
    start = 0
    for batch in batches:
        stop = start + len(batch["label"])
        for name, block in batch.items():
            if name not in columns:
                columns[name] = np.empty((rows, *block.shape[1:]), block.dtype)
            columns[name][start:stop] = block
        start = stop
    if start != rows:
        raise RuntimeError(f"the shared dataset gave {start} of its {rows} rows")
    columns = _in_order(columns)
    return Rows(columns["image"], columns["label"], columns["row_id"], columns["fold"], num_classes)


def _in_order(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Labelled rows by id, then test rows by id; copies again only where blocks came out of order."""
    order = np.lexsort((columns["row_id"], columns["fold"] == TEST))
    if (order == np.arange(len(order))).all():
        return columns
    return {name: column[order] for name, column in columns.items()}
