"""Blocks of the shared dataset, put together again."""

import numpy as np
import pytest
from split_data import distinct

from digits_ray.data import Rows, combine_rows
from digits_ray.data.ray_dataset import assemble


def batches_of(rows: Rows, parts: list[slice]) -> list[dict[str, np.ndarray]]:
    columns = {"image": rows.images, "label": rows.labels, "position": np.arange(len(rows.images))}
    return [{name: column[part] for name, column in columns.items()} for part in parts]


@pytest.mark.parametrize("parts", [[slice(0, 5), slice(5, 7)], [slice(5, 7), slice(0, 5)], [slice(3, 7), slice(0, 3)]])
def test_rows_come_out_in_order_whatever_order_their_blocks_arrive_in(parts: list[slice]) -> None:
    rows = combine_rows(distinct([3, 2], test_rows=2), np.zeros(5, np.int16))
    assembled = assemble(batches_of(rows, parts), 7)
    assert (assembled["image"] == rows.images).all()
    assert (assembled["label"] == rows.labels).all()


def test_a_lost_block_is_noticed() -> None:
    rows = combine_rows(distinct([3, 2], test_rows=2), np.zeros(5, np.int16))
    with pytest.raises(RuntimeError, match="gave 5 of its 7 rows"):
        assemble(batches_of(rows, [slice(0, 5)]), 7)
