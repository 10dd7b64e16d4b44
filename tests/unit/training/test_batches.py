"""The batches that a member trains on."""

import numpy as np
from factories import rows_of

from digits_ray.training.batches import TrainingBatches


def test_each_epoch_takes_every_row_at_most_once_in_an_order_of_its_own() -> None:
    rows = rows_of(labelled=70, held_out=20)
    batches = TrainingBatches(rows, rows.train_index(0), batch_size=16, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        orders.append(np.concatenate([batches[number][0] for number in range(len(batches))]))
    assert len(batches) == 3  # 50 rows, 2 left over
    assert len(np.unique(batches.order)) == 50
    assert not set(batches.order) & set(rows.holdout_index(0))
    assert np.array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[1])


def test_fewer_rows_than_a_batch_make_one_batch() -> None:
    rows = rows_of(labelled=15, held_out=5)
    assert len(TrainingBatches(rows, rows.train_index(0), batch_size=128, seed=1)) == 1
