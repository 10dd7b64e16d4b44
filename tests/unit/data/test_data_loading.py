"""The two files of a run together, their fingerprint, and the digits that need no file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import GOOD_CSV, csv_text, random_frame, sample_data, written

from digits_ray.config import DataConfig
from digits_ray.data import Data, load
from digits_ray.errors import UserError


def load_complaint(train: Path | None, test: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        load(DataConfig(train and str(train), test and str(test)))
    print(caught.value)
    return str(caught.value)


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD_CSV.replace("\n3,", "\n7,"))
    assert "train.csv: every row has the label 7" in load_complaint(tmp_path / "train.csv")


def test_train_and_test_of_different_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD_CSV)
    (tmp_path / "test.csv").write_text("pixel0\n1\n")
    found = load_complaint(tmp_path / "train.csv", tmp_path / "test.csv")
    assert "test.csv: images of 1 × 1 pixels" in found
    assert "2 × 2" in found


def test_a_test_file_without_a_training_file_is_refused(tmp_path: Path) -> None:
    assert "--train" in load_complaint(None, tmp_path / "test.csv")


def saved_in_every_format(folder: Path) -> list[DataConfig]:
    """The same train and test images in every format that is read."""
    train, test = random_frame(30), random_frame(7, seed=1).drop(columns="label")
    for name, frame in (("train", train), ("test", test)):
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_csv(folder / f"{name}.csv.gz", index=False, lineterminator="\r\n")
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        images = frame.filter(like="pixel").to_numpy().reshape(-1, 4, 4)
        labels = {"labels": frame["label"].to_numpy()} if "label" in frame else {}
        np.savez(folder / f"{name}.npz", images=images, **labels)
    extensions = (".csv", ".csv.gz", ".parquet", ".npz")
    return [DataConfig(str(folder / f"train{e}"), str(folder / f"test{e}")) for e in extensions]


def test_the_same_data_has_the_same_fingerprint_in_every_format(tmp_path: Path) -> None:
    prints = [load(config).fingerprint() for config in saved_in_every_format(tmp_path)]
    assert all(fingerprint == prints[0] for fingerprint in prints)
    assert prints[0]["classes"] == [0, 1, 2]
    assert (prints[0]["train_rows"], prints[0]["test_rows"]) == (30, 7)
    assert (prints[0]["height"], prints[0]["width"]) == (4, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.arange(1, 17, dtype=np.uint8).reshape(4, 2, 2)},
        {"images": np.arange(16, dtype=np.uint8).reshape(4, 1, 4)},
        {"labels": np.array([1, 0, 0, 1], np.int32)},
        {"classes": ("a", "c")},
        {"classes": (1, 2)},
    ],
)
def test_any_change_of_the_training_data_changes_its_fingerprint(changes: dict) -> None:
    assert sample_data(**changes).fingerprint()["train_sha256"] != sample_data().fingerprint()["train_sha256"]


def test_file_names_do_not_change_the_fingerprint() -> None:
    assert sample_data(train_source="other.csv").fingerprint() == sample_data().fingerprint()


def test_without_test_rows_there_is_no_test_fingerprint() -> None:
    assert sample_data().fingerprint()["test_sha256"] is None


def test_the_fingerprint_stays_the_same_from_version_to_version() -> None:
    recorded = "baf8813aab84443066a4b396df306d99817854467ebc58a48836e9cdd10014e2"
    assert sample_data().fingerprint()["train_sha256"] == recorded, "old runs could not be continued"


def test_without_a_test_file_there_are_no_test_rows(tmp_path: Path) -> None:
    data = load(DataConfig(train=written(tmp_path / "train.csv", csv_text())))
    assert data.test_images.shape == (0, 2, 2)
    assert data.test_source is None


def test_a_labelled_test_file_leaves_a_note(tmp_path: Path) -> None:
    path = written(tmp_path / "train.csv", csv_text())
    data = load(DataConfig(train=path, test=path))
    assert data.notes == (f"{path}: its labels score the ensemble once, at the end, and choose nothing",)
    assert len(data.test_images) == 3
    assert data.test_labels.tolist() == data.labels.tolist()


def test_without_files_scikit_learns_digits_are_enlarged_and_parted() -> None:
    data = load(DataConfig())
    assert data.images.shape == (1437, 28, 28)
    assert data.test_images.shape == (360, 28, 28)
    assert data.images.dtype == np.uint8
    assert (data.images.min(), data.images.max()) == (0, 255)
    assert data.classes == tuple(range(10))
    assert data.train_source == data.test_source == "scikit-learn digits"
    assert np.bincount(data.labels).min() > 130  # stratified
    assert load(DataConfig()).fingerprint() == data.fingerprint()


def test_the_labels_of_the_digits_cut_off_are_known_and_told_of() -> None:
    from sklearn.datasets import load_digits

    data, every_label = load(DataConfig()), load_digits().target
    counts = np.bincount(data.labels) + np.bincount(data.test_labels)
    assert counts.tolist() == np.bincount(every_label).tolist()
    assert part_with_the_nearest_image_s_label(data) > 0.95  # so they are those of their images
    (note,) = data.notes
    assert "the labels of 360 of 1,797 rows score the ensemble once, at the end, and choose nothing" in note


def part_with_the_nearest_image_s_label(data: Data) -> float:
    """Of the test images, those labelled as the training image that is most like them."""
    train, test = (images.reshape(len(images), -1).astype(float) for images in (data.images, data.test_images))
    distances = (train**2).sum(axis=1) - 2 * test @ train.T
    return float((data.labels[distances.argmin(axis=1)] == data.test_labels).mean())


def test_the_enlarged_digits_keep_their_brightness_and_place() -> None:
    from sklearn.datasets import load_digits

    data = load(DataConfig())
    every_image = np.concatenate([data.images, data.test_images]).astype(float)
    small = load_digits().images * 255 / 16
    assert every_image.mean() == pytest.approx(small.mean(), rel=0.02)
    halves = every_image[:, :, :14].mean(), every_image[:, :, 14:].mean()
    assert halves == pytest.approx((small[:, :, :4].mean(), small[:, :, 4:].mean()), rel=0.02)


def test_importing_the_data_room_loads_neither_ray_nor_scikit_learn() -> None:
    heavy = "{'ray', 'sklearn', 'tensorflow', 'scipy', 'pandas'}"
    code = f"import sys, digits_ray.data, digits_ray.ensemble.submission; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"
