"""Which rows train and which score."""

from itertools import product

import numpy as np
import pytest
from split_data import data_of, distinct

from digits_ray.config import SplitConfig
from digits_ray.data import TRAIN_ONLY, combine_rows, split
from digits_ray.errors import UserError

KFOLD = SplitConfig(scheme="kfold", folds=5)


def test_a_holdout_is_a_tenth_of_the_rows_with_every_class_in_its_share() -> None:
    data = distinct([500, 300, 200])
    folds = split(data, SplitConfig(), seed=0)
    assert folds.dtype == np.int16
    assert set(folds.tolist()) == {0, TRAIN_ONLY}
    assert np.bincount(data.labels[folds == 0]).tolist() == [50, 30, 20]


def test_kfold_gives_every_row_a_fold_with_every_class_in_its_share() -> None:
    data = distinct([50, 30, 20])
    folds = split(data, KFOLD, seed=0)
    assert folds.dtype == np.int16
    for fold in range(5):
        assert np.bincount(data.labels[folds == fold]).tolist() == [10, 6, 4]


def test_without_duplicates_the_holdout_is_the_one_scikit_learn_draws_from_the_rows() -> None:
    from sklearn.model_selection import train_test_split

    numbers = np.random.default_rng(0).permutation(100)
    data = data_of(numbers, numbers % 4)
    drawn = train_test_split(np.arange(100), test_size=0.1, random_state=3, stratify=data.labels)[1]
    assert np.flatnonzero(split(data, SplitConfig(), seed=3) == 0).tolist() == sorted(drawn)


def test_no_split_leaves_every_row_for_training() -> None:
    folds = split(distinct([3, 1]), SplitConfig(scheme="none"), seed=0)
    assert folds.tolist() == [TRAIN_ONLY] * 4


@pytest.mark.parametrize("config", [SplitConfig(), KFOLD])
def test_the_seed_decides_the_split(config: SplitConfig) -> None:
    data = distinct([50, 50])
    assert (split(data, config, seed=1) == split(data, config, seed=1)).all()
    assert (split(data, config, seed=1) != split(data, config, seed=2)).any()


@pytest.mark.parametrize("config", [SplitConfig(holdout=0.3), KFOLD])
@pytest.mark.parametrize("seed", range(5))
def test_equal_images_stay_on_one_side(config: SplitConfig, seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, 60, 300)  # each image about five times
    folds = split(data_of(numbers, numbers % 3), config, seed)
    for number in np.unique(numbers):
        assert len(set(folds[numbers == number].tolist())) == 1


def test_equal_images_with_different_labels_stay_on_one_side() -> None:
    numbers = np.repeat(np.arange(40), 2)
    labels = np.tile([0, 1], 40)
    labels[:40] = np.repeat(np.tile([0, 1], 10), 2)
    folds = split(data_of(numbers, labels), SplitConfig(holdout=0.25), seed=0)
    assert (folds[::2] == folds[1::2]).all()


def test_every_training_side_holds_every_class_or_the_split_is_refused() -> None:
    accepted = 0
    for counts in product([2, 3, 5, 9], repeat=3):
        for config in (SplitConfig(holdout=0.5), SplitConfig(holdout=0.4), SplitConfig("kfold", folds=2)):
            data = distinct(list(counts))
            try:
                rows = combine_rows(data, split(data, config, seed=0))
            except UserError:
                continue
            accepted += 1
            for fold in range(rows.folds.max() + 1):
                assert set(rows.labels[rows.train_index(fold)]) == {0, 1, 2}
    assert accepted > 100


def refused(counts: list[int], config: SplitConfig) -> str:
    with pytest.raises(UserError) as caught:
        split(distinct(counts), config, seed=0)
    print(caught.value)
    return str(caught.value)


def test_a_class_with_one_image_cannot_be_split_and_is_named() -> None:
    found = refused([20, 1, 20], SplitConfig())
    assert "class 1 has 1." in found
    assert "Add images of that class" in found


def test_copies_of_one_image_count_once() -> None:
    data = data_of(np.array([*range(20), 99, 99, 99]), [0] * 20 + [1] * 3)
    with pytest.raises(UserError, match="class 1 has 1"):
        split(data, SplitConfig(), seed=0)


def test_more_folds_than_images_of_a_class_are_refused() -> None:
    found = refused([20, 4], KFOLD)
    assert "split.folds=5: needs 5 distinct images of every class, but class 1 has 4" in found
    assert "lower split.folds" in found


def test_a_holdout_smaller_than_the_classes_is_refused_with_a_size_that_works() -> None:
    assert "Raise split.holdout to 0.2 or more" in refused([5, 5, 5], SplitConfig())
    split(distinct([5, 5, 5]), SplitConfig(holdout=0.2), seed=0)
