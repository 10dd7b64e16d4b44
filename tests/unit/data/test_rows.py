"""Labelled and test rows together, and the positions that a fold trains on and scores."""

import numpy as np
import pytest
from split_data import distinct

from digits_ray.config import ALL_ROWS
from digits_ray.data import TEST, TRAIN_ONLY, Rows, combine_rows


def test_labelled_rows_come_before_test_rows_and_ids_count_within_each_file() -> None:
    data = distinct([3, 2], test_rows=2)
    rows = combine_rows(data, np.array([0, -1, -1, 0, -1], np.int16))
    assert rows.labels.tolist() == [*data.labels, -1, -1]
    assert rows.row_ids.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert rows.folds.tolist() == [0, -1, -1, 0, -1, TEST, TEST]
    assert (rows.images[5:] == 9).all()
    assert rows.num_classes == 2
    assert (rows.images.dtype, rows.labels.dtype) == (np.uint8, np.int32)
    assert (rows.row_ids.dtype, rows.folds.dtype) == (np.int64, np.int16)


def test_the_wrong_number_of_folds_is_refused() -> None:
    with pytest.raises(ValueError, match="4 folds for 5 labelled rows"):
        combine_rows(distinct([3, 2]), np.zeros(4, np.int16))


def rows_with(folds: list[int]) -> Rows:
    labelled = [fold for fold in folds if fold != TEST]
    data = distinct([len(labelled) - 1, 1], test_rows=len(folds) - len(labelled))
    return combine_rows(data, np.array(labelled, np.int16))


def test_under_a_holdout_members_train_on_all_other_labelled_rows() -> None:
    rows = rows_with([0, TRAIN_ONLY, TRAIN_ONLY, 0, TEST])
    assert rows.train_index(0).tolist() == [1, 2]
    assert rows.holdout_index(0).tolist() == [0, 3]
    assert rows.test_index().tolist() == [4]
    assert rows.train_index(0).dtype == rows.holdout_index(0).dtype == rows.test_index().dtype == np.int64


def test_under_kfold_members_train_on_all_other_folds() -> None:
    rows = rows_with([0, 1, 2, 1, TEST])
    assert rows.train_index(1).tolist() == [0, 2]
    assert rows.holdout_index(1).tolist() == [1, 3]


@pytest.mark.parametrize("folds", [[0, TRAIN_ONLY, TRAIN_ONLY, 0, TEST], [0, 1, 2, 1, TEST]])
def test_a_refit_trains_on_all_labelled_rows_and_scores_none(folds: list[int]) -> None:
    rows = rows_with(folds)
    assert rows.train_index(ALL_ROWS).tolist() == [0, 1, 2, 3]
    assert rows.holdout_index(ALL_ROWS).tolist() == []


def test_without_a_split_members_train_on_all_labelled_rows() -> None:
    rows = rows_with([TRAIN_ONLY, TRAIN_ONLY, TEST])
    assert rows.train_index(0).tolist() == [0, 1]
    assert rows.holdout_index(0).tolist() == []


@pytest.mark.parametrize("fold", [-1, -2, 3])
def test_a_fold_that_does_not_exist_is_refused(fold: int) -> None:
    rows = rows_with([0, 1, 2, 1, TEST])
    for index in (rows.train_index, rows.holdout_index):
        with pytest.raises(ValueError, match="the rows have folds 0 to 2"):
            index(fold)
