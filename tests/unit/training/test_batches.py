"""The batches that a member trains on."""

from dataclasses import replace

import numpy as np
from factories import rows_of, spec_of

from digits_ray.training.batches import InferenceBatches, TrainingBatches, split_off_validation


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


def test_soft_labels_are_trained_towards_and_labels_are_watched() -> None:
    rows = rows_of(labelled=40, held_out=10)
    soft = np.random.default_rng(0).random((len(rows.labels), rows.num_classes)).astype(np.float32)
    taught = replace(rows, soft_labels=soft)
    training, watched = (
        TrainingBatches(taught, rows.train_index(0), 16, seed=1),
        InferenceBatches(taught, np.arange(40)),
    )
    assert np.array_equal(training[0][1], soft[training.order[:16]])
    assert np.array_equal(watched[0][1].argmax(axis=1), rows.labels[:40])
    assert np.array_equal(watched[0][1].sum(axis=1), np.ones(40))


def test_a_plateau_watches_writers_that_it_does_not_train_on() -> None:
    rows = rows_of(labelled=120, held_out=30)
    writers = np.where(rows.labels < 0, -1, np.arange(len(rows.labels)) // 6).astype(np.int32)
    spec = spec_of(schedule="plateau", validation=0.2)
    training, validation = split_off_validation(replace(rows, groups=writers), spec)
    assert sorted([*training, *validation]) == list(range(30, 120))
    assert len(validation) == 18
    assert not set(writers[training]) & set(writers[validation])
    assert np.bincount(rows.labels[validation]).tolist() == [6, 6, 6]
    other, _ = split_off_validation(replace(rows, groups=writers), spec_of(seed=2, schedule="plateau", validation=0.2))
    assert other.tolist() != training.tolist()


def test_without_writers_a_plateau_watches_the_rows_that_it_always_did() -> None:
    from sklearn.model_selection import train_test_split

    rows = rows_of(labelled=120, held_out=30)
    index = rows.train_index(0)
    expected = train_test_split(index, test_size=0.2, random_state=1, stratify=rows.labels[index])
    for part, found in zip(
        expected, split_off_validation(rows, spec_of(schedule="plateau", validation=0.2)), strict=True
    ):
        assert np.array_equal(part, found)
