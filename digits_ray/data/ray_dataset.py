"""One materialised Ray Dataset for all actors, and how an actor opens its rows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.data.rows import Rows, RowSource
from digits_ray.data.streamed_rows import StreamedRows

if TYPE_CHECKING:
    import ray
    import ray.data

GIB = 1 << 30


def put_dataset(rows: Rows) -> "ray.data.Dataset":
    """Puts the rows into Ray's object store, once for all actors; the caller has called `ray.init`.

    Returns:
        A materialised dataset of the blocks that `rows` has, with columns image (height, width[, 3]) uint8, label,
        row_id, fold, position and block, and group and soft_label (classes,) where there are any. It can be read while
        actors hold every CPU.
    """
    import pyarrow as pa
    from ray.data.extensions import ArrowTensorArray
    from ray.data.read_api import from_blocks

    def table(positions: np.ndarray) -> pa.Table:
        return pa.table(
            {
                "image": ArrowTensorArray.from_numpy(rows.images[positions]),
                "label": rows.labels[positions],
                "row_id": rows.row_ids[positions],
                "fold": rows.folds[positions],
                "position": positions,
                "block": rows.blocks[positions],
                **({"group": rows.groups[positions]} if rows.groups is not None else {}),
                **_soft_label_column(rows, positions),
            }
        )

    starts = np.cumsum(np.bincount(rows.blocks))[:-1]  # of all blocks but the first, once rows are sorted by block
    parts = np.split(np.argsort(rows.blocks, kind="stable"), starts)
    # from_arrow and from_arrow_refs start tasks, which wait for as long as another run's actors hold every CPU.
    return from_blocks([table(part) for part in parts])


def _soft_label_column(rows: Rows, positions: np.ndarray) -> dict[str, Any]:
    if rows.soft_labels is None:
        return {}
    from ray.data.extensions import ArrowTensorArray

    return {"soft_label": ArrowTensorArray.from_numpy(rows.soft_labels[positions])}


def put_images(images: np.ndarray, block_rows: int) -> "ray.data.Dataset":
    """Puts images into Ray's object store, once for all actors that predict; the caller has called `ray.init`.

    Args:
        images: (rows, height, width[, 3]) uint8.
        block_rows: Of each block but the last.

    Returns:
        A materialised dataset with columns image (height, width[, 3]) uint8 and position.
    """
    import pyarrow as pa
    from ray.data.extensions import ArrowTensorArray
    from ray.data.read_api import from_blocks

    starts = range(0, len(images), block_rows)
    parts = [np.arange(start, min(start + block_rows, len(images))) for start in starts]
    return from_blocks(
        [pa.table({"image": ArrowTensorArray.from_numpy(images[part]), "position": part}) for part in parts]
    )


def open_rows(dataset: "ray.data.Dataset", num_classes: int, gib: float) -> RowSource:
    """Gives an actor its rows: its own copy where that fits, a stream from the shared dataset where it does not.

    Both give the same images in the same order, so training has the same result.

    Args:
        dataset: From `put_dataset`.
        num_classes: Number of classes.
        gib: GiB that the copy may take.
    """
    return fetch_rows(dataset, num_classes) if dataset.size_bytes() <= gib * GIB else stream_rows(dataset, num_classes)


def fetch_rows(dataset: "ray.data.Dataset", num_classes: int) -> Rows:
    """Copies a shared dataset into this process's memory: one pass, no free CPU needed."""
    columns = assemble(_blocks(dataset), dataset.count())
    label, row_id, fold, block = (columns[name] for name in ("label", "row_id", "fold", "block"))
    more = columns.get("group"), columns.get("soft_label")
    return Rows(columns["image"], label, row_id, fold, block, num_classes, *more)


def stream_rows(dataset: "ray.data.Dataset", num_classes: int) -> StreamedRows:
    """Leaves the images of a shared dataset where they are: one pass for the small columns, no free CPU needed.

    Images are read in place from the node's object store, which fetches a block from another node, or from the disk
    that it was spilled to, when it is opened.
    """
    blocks = dataset.to_arrow_refs()

    def open_block(number: int) -> np.ndarray:
        return _open_block(blocks[number])["image"]

    columns = assemble(map(_without_images, _blocks(dataset)), dataset.count())
    return StreamedRows(columns, num_classes, open_block(0).shape[1:], open_block)


def _without_images(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: column for name, column in block.items() if name != "image"}


def _blocks(dataset: "ray.data.Dataset") -> Iterator[Mapping[str, Any]]:
    """Opens each block in turn.

    By its reference: iterating the dataset would start Ray Data's executor, whose two actors take seconds of CPU from
    the members' processes that start meanwhile, and outlive the run.
    """
    return map(_open_block, dataset.to_arrow_refs())


def _open_block(block: "ray.ObjectRef[Any]") -> Mapping[str, Any]:
    """Returns a block's columns as read-only numpy views of the shared memory."""
    import ray
    from ray.data.block import BlockAccessor

    return BlockAccessor.for_block(ray.get(block)).to_batch_format("numpy")


def assemble(blocks: Iterable[Mapping[str, Any]], rows: int) -> dict[str, np.ndarray]:
    """Fills preallocated arrays block by block, so that memory holds one copy, each row at its position.

    Args:
        blocks: Columns by name, each (rows of the block, …), with `position` among them; blocks in any order.
        rows: Of all blocks together.

    Returns:
        The same columns, each (rows, …).
    """
    columns: dict[str, np.ndarray] = {}
    filled = 0
    for block in blocks:
        for name, column in block.items():
            if name not in columns:
                columns[name] = np.empty((rows, *column.shape[1:]), column.dtype)
            columns[name][block["position"]] = column
        filled += len(block["position"])
    if filled != rows:
        raise RuntimeError(f"the shared dataset gave {filled} of its {rows} rows")
    return columns
