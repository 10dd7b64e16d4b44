"""Rows that stream: the same training as from memory, with a few blocks open at a time."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from factories import CLASSES, Kept, rows_of, same, spec_of

from digits_ray.data import TEST, Rows
from digits_ray.data.rows import random_blocks
from digits_ray.data.streamed_rows import OPEN_BLOCKS, StreamedRows
from digits_ray.training import fit
from digits_ray.training.batches import TrainingBatches, split_off_validation


class Blocks:
    """Hands out copies of blocks, and knows which were opened and how many were alive at once."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.opened = rows, []
        self.alive = self.most_alive = 0

    def __call__(self, number: int) -> np.ndarray:
        self.opened.append(number)
        images = self.rows.images[self.rows.blocks == number].copy()
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        weakref.finalize(images, self._gone)
        return images

    def _gone(self) -> None:
        self.alive -= 1


def streamed(rows: Rows) -> tuple[StreamedRows, Blocks]:
    blocks = Blocks(rows)
    columns = {"label": rows.labels, "row_id": rows.row_ids, "fold": rows.folds, "block": rows.blocks}
    return StreamedRows(columns, rows.num_classes, rows.image_shape, blocks), blocks


def test_streamed_rows_have_groups_where_those_in_memory_do() -> None:
    rows = rows_of()
    columns = {"label": rows.labels, "row_id": rows.row_ids, "fold": rows.folds, "block": rows.blocks}
    groups = np.arange(len(rows.labels), dtype=np.int32) // 6
    plain, grouped = (
        StreamedRows(columns | more, CLASSES, rows.image_shape, Blocks(rows)) for more in ({}, {"group": groups})
    )
    assert plain.groups is None
    spec = spec_of(schedule="plateau", validation=0.2)
    in_memory = split_off_validation(replace(rows, groups=groups), spec)
    assert all(map(np.array_equal, split_off_validation(grouped, spec), in_memory))


def label_sorted_rows(count: int, rows_per_block: int) -> Rows:
    """Rows of ten classes in the order of their labels, as many files have them."""
    labels = (np.arange(count) * 10 // count).astype(np.int32)
    images = np.repeat(labels.astype(np.uint8), 4).reshape(count, 2, 2)
    folds = np.full(count, -1, np.int16)
    return Rows(images, labels, np.arange(count), folds, random_blocks(count, rows_per_block), 10)


def test_streamed_rows_are_those_in_memory_in_any_order() -> None:
    rows = rows_of(labelled=120, test=12, rows_per_block=9)
    source, _ = streamed(rows)
    positions = np.random.default_rng(0).permutation(132)
    assert np.array_equal(source.images_at(positions), rows.images[positions])
    assert source.images_at(positions[:0]).shape == (0, *rows.image_shape)
    assert source.test_index().tolist() == np.flatnonzero(rows.folds == TEST).tolist()


def test_an_epoch_opens_each_block_once_and_keeps_only_a_few() -> None:
    rows = rows_of(labelled=400, held_out=40, test=30, rows_per_block=20)
    source, blocks = streamed(rows)
    batches = TrainingBatches(source, source.train_index(0), batch_size=16, seed=1)
    for number in range(len(batches)):
        batches[number]
    assert sorted(blocks.opened) == list(range(22))
    assert blocks.most_alive <= OPEN_BLOCKS + 1  # one is opened before the oldest goes


def test_an_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    rows = rows_of(labelled=400, held_out=40, test=0, rows_per_block=20)
    index = rows.train_index(0)
    orders = [rows.epoch_order(index, seed=3, epoch=epoch) for epoch in (0, 1, 0)]
    assert np.array_equal(np.sort(orders[0]), index)
    assert np.array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(np.unique(rows.blocks[orders[0][:30]]), np.unique(rows.blocks[orders[1][:30]]))


def test_data_of_one_window_are_shuffled_as_one() -> None:
    rows = rows_of(labelled=120, held_out=20, test=0, rows_per_block=60)
    index = rows.train_index(0)
    assert np.array_equal(rows.epoch_order(index, 3, 5), np.random.default_rng((3, 5)).permutation(index))


def test_batches_of_a_label_sorted_file_hold_all_labels_in_their_shares() -> None:
    rows = label_sorted_rows(20_000, rows_per_block=1_000)
    batches = TrainingBatches(streamed(rows)[0], np.arange(20_000), batch_size=100, seed=1)
    counts = np.array([batches[number][1].sum(axis=0) for number in range(len(batches))])  # (batches, classes)
    # 200 draws of 100 rows without order: a class's count has the variance of a random sample, 100 · 0.1 · 0.9 = 9.
    assert 7.5 < counts.var(axis=0).mean() < 10.5
    assert counts.min() >= 0
    assert (counts.sum(axis=1) == 100).all()


RECIPES = {
    "one_cycle": {},
    "averaged weights": {"ema": 0.9},
    "plateau": {"schedule": "plateau", "validation": 0.2, "patience": 1, "decay": 0.5},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_streamed_member_is_bit_for_bit_the_one_trained_from_memory(recipe: dict) -> None:
    rows = rows_of(rows_per_block=11)
    source, blocks = streamed(rows)
    spec = spec_of(epochs=3, **recipe)
    in_memory, from_stream = fit.fit_member(spec, rows), fit.fit_member(spec, source)
    assert len(blocks.opened) > 3 * 13  # 13 blocks each epoch
    assert blocks.most_alive <= OPEN_BLOCKS + 1
    assert same(from_stream, in_memory)
    assert [e["loss"] for e in from_stream.history] == [e["loss"] for e in in_memory.history]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_streamed_member_resumed_in_memory_or_streamed_ends_as_if_undisturbed(recipe: dict) -> None:
    rows, states, spec = rows_of(rows_per_block=11), Kept(), spec_of(epochs=3, **recipe)
    undisturbed = fit.fit_member(spec, streamed(rows)[0], states)
    for source in (streamed(rows)[0], rows):
        resumed = fit.fit_member(spec, source, Kept({2: states.states[2]}))
        assert resumed.start_epoch == 2
        assert same(resumed, undisturbed)


def test_predictions_of_many_blocks_belong_to_their_rows() -> None:
    rows = rows_of(labelled=300, held_out=60, test=45, rows_per_block=17)
    result = fit.fit_member(spec_of(epochs=12, learning_rate=3e-3), streamed(rows)[0])
    prediction = result.prediction
    assert prediction.holdout_row_ids.tolist() == list(range(60))
    assert prediction.test_row_ids.tolist() == list(range(45))
    assert (prediction.holdout_proba.argmax(1) == rows.labels[:60]).mean() > 0.9
    assert (prediction.test_proba.argmax(1) == np.arange(300, 345) % CLASSES).mean() > 0.9
