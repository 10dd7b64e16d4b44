"""Rows whose images stay in the shared dataset: for data that an actor's memory cannot hold."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from digits_ray.data.rows import WINDOW_BLOCKS, RowSource

OPEN_BLOCKS = 2 * WINDOW_BLOCKS  # a batch may end one window and begin the next


class StreamedRows(RowSource):
    """Rows whose images are read block by block, a few blocks open at a time.

    This process holds some 26 bytes for each row, and while an epoch's order is drawn about 40 more, but no images
    beyond the batch that it was asked for. Rows can be read in another order than `epoch_order` or `sorted_by_block`
    gives, but slowly.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        num_classes: int,
        image_shape: tuple[int, ...],
        open_block: Callable[[int], np.ndarray],
    ) -> None:
        """Stores the rows' small columns and a way to their images.

        Args:
            columns: label, row_id, fold and block as `RowSource` has them, and group and soft_label where there are
                any, each (rows, …), by position.
            num_classes: Number of classes.
            image_shape: An image's height and width, in pixels, and its channels where it is in colour.
            open_block: Returns the images of one block, (rows of the block, height, width[, 3]) uint8, by position.
                They are dropped when other blocks are needed.
        """
        self.labels, self.row_ids, self.folds = columns["label"], columns["row_id"], columns["fold"]
        self.blocks, self.num_classes, self._shape = columns["block"], num_classes, image_shape
        self.groups, self.soft_labels = columns.get("group"), columns.get("soft_label")
        self._position_in_block = _positions_in_block(self.blocks)
        self._open = lru_cache(maxsize=OPEN_BLOCKS)(open_block)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """An image's height and width, in pixels, and its channels where it is in colour."""
        return self._shape

    def images_at(self, positions: np.ndarray) -> np.ndarray:
        """Returns the images at positions (n,) int64, as (n, height, width[, 3]) uint8, in their order."""
        images = np.empty((len(positions), *self._shape), np.uint8)
        blocks = self.blocks[positions]
        for block in np.unique(blocks):
            in_block = blocks == block
            images[in_block] = self._open(int(block))[self._position_in_block[positions[in_block]]]
        return images


def _positions_in_block(blocks: np.ndarray) -> np.ndarray:
    """Returns each row's position in its block, (rows,) int32; a block holds its rows by position."""
    order = np.argsort(blocks, kind="stable")
    starts = np.cumsum(np.bincount(blocks)) - np.bincount(blocks)
    positions = np.empty(len(blocks), np.int32)
    positions[order] = np.arange(len(blocks)) - starts[blocks[order]]
    return positions
