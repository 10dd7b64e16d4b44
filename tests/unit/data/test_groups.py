"""Rows of a writer or patient stay on one side of every split."""

from dataclasses import replace

import numpy as np
import pytest
from split_data import data_of

from digits_ray.baselines import plan_search
from digits_ray.config import BaselinesConfig, Config, SplitConfig
from digits_ray.data import TRAIN_ONLY, Data, check_validation_groups, combine_rows, split
from digits_ray.data.groups import class_counts, deal_groups, joined_groups, missing_sides
from digits_ray.errors import UserError

KFOLD = SplitConfig(scheme="kfold", folds=5)
SCHEMES = [SplitConfig(), SplitConfig(holdout=0.3), KFOLD]


def written_by(writers: list[int] | np.ndarray, labels: list[int] | np.ndarray, images: object = None) -> Data:
    """Data whose images are all different, or the numbers given, each of a writer."""
    data = data_of(np.arange(len(labels)) if images is None else np.asarray(images), labels)
    return replace(data, groups=np.asarray(writers, np.int32))


def many(seed: int = 0, rows: int = 600, writers: int = 60, classes: int = 4) -> Data:
    """Writers of unequal diligence, who each prefer some classes."""
    random = np.random.default_rng(seed)
    writer = random.choice(writers, rows, p=random.dirichlet(np.full(writers, 3.0)))
    taste = random.dirichlet(np.ones(classes), writers)
    return written_by(writer, np.array([random.choice(classes, p=taste[number]) for number in writer]))


def sides(data: Data, folds: np.ndarray) -> list[set[int]]:
    """The folds of each writer's rows."""
    assert data.groups is not None
    return [set(folds[data.groups == writer].tolist()) for writer in np.unique(data.groups)]


# What belongs together


def test_relations_are_joined_along_chains() -> None:
    writers = np.array([7, 7, 3, 3, 5, 5, 9])
    images = np.array([0, 1, 1, 2, 3, 4, 5])  # writers 7 and 3 have an image in common
    assert joined_groups(writers, images).tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert joined_groups(images).tolist() == [0, 1, 1, 2, 3, 4, 5]


# The split


@pytest.mark.parametrize("config", SCHEMES)
@pytest.mark.parametrize("seed", range(3))
def test_the_rows_of_a_writer_stay_on_one_side(config: SplitConfig, seed: int) -> None:
    data = many(seed)
    folds = split(data, config, seed)
    assert folds.dtype == np.int16
    assert all(len(side) == 1 for side in sides(data, folds))
    assert set(folds.tolist()) == ({0, TRAIN_ONLY} if config.scheme == "holdout" else set(range(5)))


@pytest.mark.parametrize("config", SCHEMES)
def test_writers_with_an_image_in_common_stay_on_one_side_too(config: SplitConfig) -> None:
    writers, images = np.repeat(np.arange(40), 10), np.arange(400)
    images[::20] = images[19::20]  # writers 0 and 1 have one, 2 and 3, …
    data = written_by(writers, np.arange(400) % 3, images)
    folds = split(data, config, seed=0)
    pairs = folds.reshape(20, 20)
    assert (pairs == pairs[:, :1]).all()


@pytest.mark.parametrize("config", SCHEMES)
def test_parts_have_their_share_of_every_class_as_far_as_writers_allow(config: SplitConfig) -> None:
    data = many(rows=4000, writers=200)
    folds = split(data, config, seed=0)
    wanted = 0.2 if config.scheme == "kfold" else config.holdout
    for fold in range(folds.max() + 1):
        share = np.bincount(data.labels[folds == fold]) / np.bincount(data.labels)
        assert share == pytest.approx(wanted, abs=0.02)


def test_folds_of_unlike_writers_are_as_even_as_those_of_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    ours, theirs = [], []
    for seed in range(5):
        data = many(seed, writers=30)
        folds = np.empty(len(data.labels), int)
        for fold, (_, scored) in enumerate(StratifiedGroupKFold(5).split(data.labels, data.labels, data.groups)):
            folds[scored] = fold
        ours.append(unevenness(data, split(data, KFOLD, seed)))
        theirs.append(unevenness(data, folds))
    assert np.mean(ours) < np.mean(theirs)


def unevenness(data: Data, folds: np.ndarray) -> float:
    """The mean square by which the folds' shares of the classes miss a fifth."""
    shares = [np.bincount(data.labels[folds == fold], minlength=4) / np.bincount(data.labels) for fold in range(5)]
    return float(np.square(np.array(shares) - 0.2).mean())


@pytest.mark.parametrize("config", SCHEMES)
def test_the_seed_alone_decides_which_writers_score(config: SplitConfig) -> None:
    data = many()
    assert (split(data, config, seed=1) == split(data, config, seed=1)).all()
    assert (split(data, config, seed=1) != split(data, config, seed=2)).any()


def test_a_class_of_two_writers_is_on_both_sides() -> None:
    writers = np.repeat(np.arange(12), 10)
    labels = np.arange(120) % 2
    labels[5], labels[35] = 2, 2  # one row of writer 0 and one of writer 3
    data = written_by(writers, labels)
    folds = split(data, SplitConfig(holdout=0.2), seed=0)
    assert sorted(folds[labels == 2].tolist()) == [TRAIN_ONLY, 0]
    folds = split(data, KFOLD, seed=0)
    assert len(set(folds[labels == 2].tolist())) == 2


def test_large_writers_are_held_out_as_well_as_small_ones() -> None:
    counts = np.ones((40, 1), int)
    counts[:10] = 5
    dealt = [deal_groups(counts, np.array([0.3, 0.7]), 1, seed) == 0 for seed in range(20)]
    assert 0.1 < np.mean([held_out[:10].mean() for held_out in dealt]) < 0.5


def test_sides_without_a_class_are_counted() -> None:
    counts = class_counts(np.array([0, 0, 1, 2]), np.array([0, 1, 0, 0]), 2)
    assert counts.tolist() == [[1, 1], [1, 0], [1, 0]]
    assert missing_sides(counts, np.array([0, 1, 1]), 1).tolist() == [0, 1]  # class 1 is held out alone
    assert missing_sides(counts, np.array([1, 0, 1]), 1).tolist() == [0, 1]  # and here only trains
    assert missing_sides(counts, np.array([0, 1, 2]), 3).tolist() == [0, 1]


# What cannot be split


def refused(data: Data, config: SplitConfig) -> str:
    with pytest.raises(UserError) as caught:
        split(data, config, seed=0)
    print(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_single_writer_is_refused() -> None:
    message = refused(written_by([0] * 20, [0, 1] * 10), SplitConfig())
    assert message.startswith("split.holdout=0.1: needs 2 groups of rows without an image in common, but there is 1.")


def test_more_folds_than_writers_are_refused() -> None:
    message = refused(written_by(np.arange(40) % 4, [0, 1] * 20), KFOLD)
    assert "split.folds=5: needs 5 groups of rows without an image in common, but there are 4" in message
    assert "lower split.folds" in message


@pytest.mark.parametrize("config", SCHEMES)
def test_a_class_of_a_single_writer_is_refused_and_named(config: SplitConfig) -> None:
    writers, labels = np.arange(60) % 10, np.arange(60) % 2
    labels[writers == 3] = 2
    assert "all rows of class 2 are in one group, so it cannot be on both sides" in refused(
        written_by(writers, labels), config
    )


def test_writers_that_no_division_can_part_are_refused() -> None:
    # Class 0 needs writers 0 and 1 apart, class 1 needs 1 and 2 apart, class 2 needs 0 and 2 apart: two sides are few.
    data = written_by([0, 1, 1, 2, 0, 2], [0, 0, 1, 1, 2, 2])
    assert "no division of 3 groups was found that has class" in refused(data, SplitConfig(holdout=0.5))


# Validation parts


@pytest.mark.parametrize("scheme", ["holdout", "kfold"])
def test_the_baselines_are_chosen_on_writers_that_they_were_not_trained_on(scheme: str) -> None:
    data = many()
    config = Config(split=SplitConfig(scheme), baselines=BaselinesConfig())  # type: ignore[arg-type]
    plan = plan_search(config, data, split(data, config.split, config.seed))
    assert data.groups is not None
    assert not set(data.groups[plan.train]) & set(data.groups[plan.validation])


def test_a_class_that_a_plateau_could_not_watch_is_refused() -> None:
    writers, labels = np.arange(60) % 10, np.arange(60) % 2
    labels[(writers == 3) | (writers == 4)] = 2
    data = written_by(writers, labels)
    folds = np.where(writers == 3, 0, TRAIN_ONLY).astype(np.int16)
    check_validation_groups(data, folds, 0.0)
    with pytest.raises(
        UserError, match=r"members.recipe.validation=0.1: all training rows of class 2 are in one group"
    ):
        check_validation_groups(data, folds, 0.1)
    check_validation_groups(data, np.where(writers == 5, 0, TRAIN_ONLY).astype(np.int16), 0.1)


def test_joined_groups_go_out_with_the_rows_and_test_rows_have_none() -> None:
    data = Data(
        **vars(written_by([4, 4, 2, 0], [0, 1, 0, 1], [1, 2, 2, 3])) | {"test_images": np.ones((2, 2, 4), np.uint8)}
    )
    rows = combine_rows(data, np.zeros(4, np.int16))
    assert rows.groups is not None
    assert rows.groups.tolist() == [0, 0, 0, 1, -1, -1]
    assert combine_rows(data_of(np.arange(2), [0, 1]), np.zeros(2, np.int16)).groups is None


# What identifies the data


def test_groups_are_part_of_the_fingerprint_by_what_they_hold_together() -> None:
    plain = data_of(np.arange(4), [0, 1, 0, 1]).fingerprint()
    data = written_by([0, 0, 1, 1], [0, 1, 0, 1]).fingerprint()
    assert {**plain, "groups_sha256": data["groups_sha256"]} == data
    assert written_by([0, 1, 1, 1], [0, 1, 0, 1]).fingerprint() != data
