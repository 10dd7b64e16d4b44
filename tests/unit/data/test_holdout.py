"""A holdout that the user gives: it scores, and chooses nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits_ray.config import Config, DataConfig, SplitConfig, load_config
from digits_ray.data import TRAIN_ONLY, check_data, combine_rows, holdout_rows_trained_on, load, load_arrays, split
from digits_ray.errors import UserError

IMAGES = np.random.default_rng(0).integers(2, 254, (12, 4, 4), dtype=np.uint8)
LABELS = np.array(["a", "b", "c"] * 4)
TRAIN, HOLDOUT = (IMAGES[:9], LABELS[:9]), (IMAGES[9:], LABELS[9:])


def csv(path: Path, images: np.ndarray, labels: object, writers: object = None) -> Path:
    frame = pd.DataFrame(images.reshape(len(images), -1), columns=[f"pixel{number}" for number in range(16)])
    frame = frame.assign(label=labels)
    (frame if writers is None else frame.assign(writer=writers)).to_csv(path, index=False)
    return path


def test_the_rows_of_a_holdout_come_after_those_that_train_and_score_alone(tmp_path: Path) -> None:
    train, holdout = csv(tmp_path / "train.csv", *TRAIN), csv(tmp_path / "holdout.csv", *HOLDOUT)
    data = load(DataConfig(train, holdout=holdout))
    assert (data.train_rows, data.holdout_rows, data.holdout_source) == (9, 3, str(holdout))
    assert np.array_equal(data.images, IMAGES)
    assert [data.classes[label] for label in data.labels] == LABELS.tolist()
    folds = split(data, SplitConfig(), seed=0)
    assert folds.tolist() == [TRAIN_ONLY] * 9 + [0] * 3
    rows = combine_rows(data, folds)
    assert rows.train_index(0).tolist() == list(range(9))
    assert rows.holdout_index(0).tolist() == [9, 10, 11]


def test_arrays_are_the_same_holdout_as_a_file_of_them(tmp_path: Path) -> None:
    train, holdout = csv(tmp_path / "train.csv", *TRAIN), csv(tmp_path / "holdout.csv", *HOLDOUT)
    arrays, files = load_arrays(TRAIN, None, HOLDOUT), load(DataConfig(train, holdout=holdout))
    assert arrays.fingerprint() == files.fingerprint()


def test_a_holdout_has_a_fingerprint_of_its_own_beside_that_of_the_training_rows() -> None:
    alone, data = load_arrays(TRAIN, None).fingerprint(), load_arrays(TRAIN, None, HOLDOUT).fingerprint()
    assert data == {**alone, "holdout_sha256": data["holdout_sha256"], "holdout_rows": 3}
    other = load_arrays(TRAIN, None, (IMAGES[9:], ["a", "b", "b"])).fingerprint()
    assert (other["train_sha256"], other["holdout_rows"]) == (data["train_sha256"], 3)
    assert other["holdout_sha256"] != data["holdout_sha256"]


def test_labels_mean_the_classes_of_the_training_images() -> None:
    data = load_arrays((IMAGES[:6], [7, 3, "x", 7, 3, "x"]), None, (IMAGES[6:8], [3, 7]))
    assert [data.classes[label] for label in data.labels[6:]] == ["3", "7"]


def test_an_unknown_class_is_refused_and_named() -> None:
    with pytest.raises(UserError, match=r"holdout: class 'd' is none of the training images' 3 classes.*Drop its rows"):
        load_arrays(TRAIN, None, (IMAGES[9:], ["a", "d", "b"]))


def test_a_class_that_the_holdout_lacks_is_told() -> None:
    (note,) = load_arrays(TRAIN, None, (IMAGES[9:], ["a", "a", "b"])).notes
    assert note == "holdout: no images of class c: its recall stays unknown"


def test_images_of_another_size_or_scale_are_refused(tmp_path: Path) -> None:
    train = csv(tmp_path / "train.csv", *TRAIN)
    with pytest.raises(UserError, match=r"holdout: images of 3 × 4 pixels, but train has 4 × 4"):
        load_arrays(TRAIN, None, (IMAGES[9:, :3], LABELS[9:]))
    fractions = csv(tmp_path / "fractions.csv", IMAGES[9:] / 255, LABELS[9:])
    with pytest.raises(UserError, match=r"fractions.csv: pixels are fractions from 0 to 1, but those of the training"):
        load(DataConfig(train, holdout=fractions))
    np.savez(tmp_path / "wide.npz", images=np.zeros((2, 4, 5), np.uint8), labels=["a", "b"])
    with pytest.raises(UserError, match=r"wide.npz: images of 4 × 5 pixels, but .*train.csv has 4 × 4 pixels"):
        load(DataConfig(train, holdout=tmp_path / "wide.npz"))


def test_a_holdout_without_labels_is_refused() -> None:
    with pytest.raises(UserError, match=r"holdout: a pair \(images, labels\) is expected.*holdout=\(images, labels\)"):
        load_arrays(TRAIN, None, IMAGES[9:])
    with pytest.raises(UserError, match=r"holdout labels: of shape \(2,\) for 3 images"):
        load_arrays(TRAIN, None, (IMAGES[9:], ["a", "b"]))


def test_held_out_images_that_are_trained_on_are_counted_and_named() -> None:
    images = np.concatenate([IMAGES[9:], IMAGES[2:4], IMAGES[9:10]])
    data = load_arrays(TRAIN, IMAGES[10:11], (images, ["a", "b", "c", "a", "b", "a"]))
    assert holdout_rows_trained_on(data).tolist() == [12, 13]
    counts = check_data(data).duplicates
    assert (counts["train"], counts["train_holdout"], counts["train_test"]) == (0, 2, 1)
    assert "train_holdout" not in check_data(load_arrays(TRAIN, None)).duplicates


def test_groups_on_both_sides_are_told_loudly(tmp_path: Path) -> None:
    train = csv(tmp_path / "train.csv", *TRAIN, writers=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    holdout = csv(tmp_path / "holdout.csv", *HOLDOUT, writers=[4, 3, 4])
    data = load(DataConfig(train, holdout=holdout), groups="writer")
    assert data.groups is not None
    assert data.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 2, 3]
    assert f"WARNING: {holdout}: 1 of 3 rows are of groups that are trained on too" in data.notes[-1]
    without = csv(tmp_path / "without.csv", *HOLDOUT)
    with pytest.raises(UserError, match=r"without.csv: split.groups: no column 'writer'"):
        load(DataConfig(train, holdout=without), groups="writer")


def test_groups_given_for_training_images_leave_each_held_out_image_by_itself() -> None:
    data = load_arrays(TRAIN, None, HOLDOUT, groups=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert data.groups is not None
    assert data.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 5]


# The settings that do not go with it


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "split.scheme=kfold",
            r"split.scheme is kfold, but a holdout is given \(data.holdout\), .* Set it to holdout, or leave",
        ),
        ("split.scheme=none", r"split.scheme is none, but a holdout is given"),
        ("split.holdout=0.2", r"split.holdout is 0.2, but a holdout is given"),
    ],
)
def test_a_split_beside_a_holdout_is_refused(setting: str, message: str) -> None:
    flags = {"data.train": "train.csv", "data.holdout": "holdout.csv"}
    with pytest.raises(UserError, match=message):
        load_config(flags=flags, settings=[setting])
    assert load_config(flags=flags, settings=["split.groups=writer"]).data.holdout == "holdout.csv"


def test_a_holdout_without_training_images_is_refused() -> None:
    with pytest.raises(UserError, match=r"data.holdout \(--holdout\) needs training images. Give data.train"):
        load_config(flags={"data.holdout": "holdout.csv"})
    assert Config().data.holdout is None
