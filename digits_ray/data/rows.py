"""All rows of a run, wherever their images lie, and the orders in which a member reads them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from digits_ray.config import ALL_ROWS
from digits_ray.data.checks import group_equal_images
from digits_ray.data.groups import joined_groups
from digits_ray.data.loading import Data

TRAIN_ONLY = -1  # fold of a labelled row that never scores
TEST = -2  # fold of a row without a label

BLOCK_BYTES = 64 << 20  # of images; half of Ray's largest block, so that big data spills and travels in parts
WINDOW_BLOCKS = 2  # whose rows are shuffled together


class RowSource(Protocol):
    """The labelled rows of a run, then its test rows. A row's position is its index in these arrays.

    Rows lie in blocks, a random partition. Whoever reads them in the order of `epoch_order` or `sorted_by_block` never
    needs more than a few blocks at a time, so the images may stay in a store that hands them out block by block.
    """

    labels: np.ndarray  # (rows,) int32 index into the classes; -1 for test rows
    row_ids: np.ndarray  # (rows,) int64 position in the row's own file, from 0
    folds: np.ndarray  # (rows,) int16 fold, TRAIN_ONLY or TEST
    blocks: np.ndarray  # (rows,) int32 block that the image lies in, from 0
    num_classes: int
    groups: np.ndarray | None  # (rows,) int32; rows of a group stay on one side of every split; None: each by itself
    soft_labels: np.ndarray | None  # (rows, classes) float32, trained towards; None: the labels are

    @property
    def image_shape(self) -> tuple[int, ...]:
        """An image's height and width, in pixels, and its channels where it is in colour."""

    def images_at(self, positions: np.ndarray) -> np.ndarray:
        """Returns the images at positions (n,) int64, as (n, height, width[, 3]) uint8, in their order."""

    def one_hot_labels(self, positions: np.ndarray) -> np.ndarray:
        """Returns the labels at positions (n,) int64, as (n, classes) float32, in their order."""
        return np.eye(self.num_classes, dtype=np.float32)[self.labels[positions]]

    def targets(self, positions: np.ndarray) -> np.ndarray:
        """Returns what is trained towards at positions (n,) int64, as (n, classes) float32: labels, or soft labels."""
        return self.one_hot_labels(positions) if self.soft_labels is None else self.soft_labels[positions]

    def train_index(self, fold: int) -> np.ndarray:
        """Returns the positions of the labelled rows that a member of this fold trains on, (train_rows,) int64."""
        return np.flatnonzero((self.folds != TEST) & (self.folds != self._checked_fold(fold)))

    def holdout_index(self, fold: int) -> np.ndarray:
        """Returns the positions of the labelled rows that a member of this fold scores, (holdout_rows,) int64."""
        return np.flatnonzero(self.folds == self._checked_fold(fold))

    def test_index(self) -> np.ndarray:
        """Returns the positions of the rows without a label, (test_rows,) int64."""
        return np.flatnonzero(self.folds == TEST)

    def epoch_order(self, index: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        """Shuffles positions for one epoch, by seed and epoch alone.

        Blocks are drawn in a random order, two at a time, and the rows of both are shuffled together. As the blocks
        are a random partition of the rows, every batch is a random sample of them; data of up to two blocks are
        shuffled as one.

        Args:
            index: (n,) int64 positions.
            seed: Of the member.
            epoch: From 0.

        Returns:
            (n,) int64, the same positions.
        """
        random = np.random.default_rng((seed, epoch))
        order = random.permutation(index)
        window = random.permutation(int(self.blocks.max()) + 1) // WINDOW_BLOCKS  # (blocks,)
        return order[np.argsort(window[self.blocks[order]], kind="stable")]

    def sorted_by_block(self, index: np.ndarray) -> np.ndarray:
        """Sorts positions (n,) int64 by block, and leaves them in their order within each; returns (n,) int64."""
        return index[np.argsort(self.blocks[index], kind="stable")]

    def _checked_fold(self, fold: int) -> int:
        last = max(0, int(self.folds.max()))
        if fold != ALL_ROWS and not 0 <= fold <= last:
            raise ValueError(f"fold={fold}: the rows have folds 0 to {last}")
        return fold


@dataclass(frozen=True, eq=False)
class Rows(RowSource):
    """Rows whose images are all in this process's memory."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8
    labels: np.ndarray  # (rows,) int32
    row_ids: np.ndarray  # (rows,) int64
    folds: np.ndarray  # (rows,) int16
    blocks: np.ndarray  # (rows,) int32
    num_classes: int
    groups: np.ndarray | None = None  # (rows,) int32
    soft_labels: np.ndarray | None = None  # (rows, classes) float32, rows sum to 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """An image's height and width, in pixels, and its channels where it is in colour."""
        return self.images.shape[1:]

    def images_at(self, positions: np.ndarray) -> np.ndarray:
        """Returns the images at positions (n,) int64, as (n, height, width[, 3]) uint8, in their order."""
        return self.images[positions]


def combine_rows(data: Data, folds: np.ndarray) -> Rows:
    """Joins the labelled rows and the test rows, in this order.

    Args:
        data: The run's data.
        folds: (labelled_rows,) int16, from `split`.
    """
    if folds.shape != data.labels.shape:
        raise ValueError(f"{len(folds)} folds for {len(data.labels)} labelled rows")
    rows, test_rows = len(data.images), len(data.test_images)
    images = np.concatenate([data.images, data.test_images])
    return Rows(
        images=images,
        labels=np.concatenate([data.labels, np.full(test_rows, -1)]).astype(np.int32),
        row_ids=np.concatenate([np.arange(rows), np.arange(test_rows)]),
        folds=np.concatenate([folds, np.full(test_rows, TEST)]).astype(np.int16),
        blocks=random_blocks(len(images), BLOCK_BYTES // images[0].nbytes),
        num_classes=len(data.classes),
        groups=_groups(data),
    )


def _groups(data: Data) -> np.ndarray | None:
    """Returns the groups of the labelled rows, equal images joined, and -1 for test rows."""
    if data.groups is None:
        return None
    joined = joined_groups(data.groups, group_equal_images(data.images))
    return np.concatenate([joined, np.full(len(data.test_images), -1, np.int32)])


def random_blocks(rows: int, rows_per_block: int) -> np.ndarray:
    """Deals rows out to blocks of equal size at random, always the same way, so that no block follows the file's order.

    Returns:
        (rows,) int32 block of each row, from 0.
    """
    blocks = -(-rows // max(1, rows_per_block))
    return np.random.default_rng(0).permutation(np.arange(rows, dtype=np.int32) % blocks)


def row_number(row_id: int, train_rows: int) -> int:
    """Returns a labelled row's number in its own file, from 1.

    Args:
        row_id: Its position among all labelled rows, those of a given holdout after all others.
        train_rows: The labelled rows without those of a given holdout.
    """
    return row_id + 1 - (train_rows if row_id >= train_rows else 0)
