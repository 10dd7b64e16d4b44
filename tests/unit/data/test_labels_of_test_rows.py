"""Labels of test rows, in every layout: they score and choose nothing, so none of them is ever an error."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from image_files import csv_text, written
from picture_files import idx, write_pictures

from digits_ray.config import DataConfig
from digits_ray.data import Data, load, load_arrays
from digits_ray.errors import UserError

IMAGES = np.arange(18, dtype=np.uint8).reshape(3, 2, 3) * 10
SCORES = "its labels score the ensemble once, at the end, and choose nothing"


def train(folder: Path) -> str:
    """Labelled images of the classes 3, 7 and 9."""
    np.savez(folder / "train.npz", images=IMAGES, labels=[7, 3, 9])
    return str(folder / "train.npz")


def as_csv(folder: Path, labels: list) -> Path:
    columns = {f"{row}x{column}": IMAGES[:, row, column] for row in range(2) for column in range(3)}
    pd.DataFrame({**columns, "label": labels}).to_csv(folder / "test.csv", index=False)
    return folder / "test.csv"


def as_parquet(folder: Path, labels: list) -> Path:
    pd.read_csv(as_csv(folder, labels), dtype={"label": object}).to_parquet(folder / "test.parquet", index=False)
    return folder / "test.parquet"


def as_parts(folder: Path, labels: list) -> Path:
    frame = pd.read_csv(as_csv(folder, labels), dtype={"label": object})
    (folder / "parts").mkdir()
    frame[:1].to_parquet(folder / "parts/part-0.parquet", index=False)
    frame[1:].to_parquet(folder / "parts/part-1.parquet", index=False)
    return folder / "parts"


def as_npz(folder: Path, labels: list) -> Path:
    np.savez(folder / "test.npz", x_test=IMAGES, y_test=labels)
    return folder / "test.npz"


def as_npy(folder: Path, labels: list) -> Path:
    np.save(folder / "x_test.npy", IMAGES)
    np.save(folder / "y_test.npy", labels)
    return folder / "x_test.npy"


def as_idx(folder: Path, labels: list) -> Path:
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array(labels, np.uint8)))
    return folder / "t10k-images-idx3-ubyte"


def as_listed_pictures(folder: Path, labels: list) -> Path:
    write_pictures(folder / "test", {f"{row}.png": None for row in range(3)})
    rows = [f"{row}.png,{label}" for row, label in enumerate(labels)]
    (folder / "test/labels.csv").write_text("\n".join(["file,label", *reversed(rows)]))
    return folder / "test"


LAYOUTS = [as_csv, as_parquet, as_parts, as_npz, as_npy, as_idx, as_listed_pictures]


def loaded(folder: Path, test: Path) -> Data:
    return load(DataConfig(train=train(folder), test=str(test)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_labels_of_any_layout_are_read_and_it_is_told(layout: Any, tmp_path: Path) -> None:
    test = layout(tmp_path, [9, 7, 7])
    data = loaded(tmp_path, test)
    assert data.classes == (3, 7, 9)
    assert data.test_labels.tolist() == [2, 1, 1]
    assert f"{test}: {SCORES}" in data.notes
    assert len(data.test_images) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_that_no_training_row_has_are_told_and_not_scored(layout: Any, tmp_path: Path) -> None:
    test = layout(tmp_path, [9, 8, 6])
    data = loaded(tmp_path, test)
    assert data.test_labels.tolist() == [2, -1, -1]
    assert data.notes[-1] == f"{test}: 2 rows are not scored, with labels that no training row has: '8', '6'"


def test_the_folders_of_pictures_are_their_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path / "test", {"7/a.png": None, "9/b.png": None, "x/c.png": None})
    data = loaded(tmp_path, tmp_path / "test")
    assert data.test_labels.tolist() == [1, 2, -1]
    assert data.notes[-1].endswith("1 row is not scored, with labels that no training row has: 'x'")


@pytest.mark.parametrize("layout", [as_csv, as_parquet, as_parts])
def test_a_row_may_lack_its_label(layout: Any, tmp_path: Path) -> None:
    data = loaded(tmp_path, layout(tmp_path, [9, None, 7]))
    assert data.test_labels.tolist() == [2, -1, 1]
    assert data.notes[-1].endswith(f"{SCORES}; 1 row has none")


def test_a_list_may_leave_pictures_out_and_all_are_predicted(tmp_path: Path) -> None:
    test = as_listed_pictures(tmp_path, [9, 7])
    assert loaded(tmp_path, test).test_labels.tolist() == [2, 1, -1]


@pytest.mark.parametrize("layout", LAYOUTS[:4])
def test_labels_all_missing_or_all_unknown_are_none(layout: Any, tmp_path: Path) -> None:
    data = loaded(tmp_path, layout(tmp_path, [-1, -1, -1]))
    assert data.test_labels is data.test_labels_sha256 is None
    assert data.notes[-1].endswith("3 rows are not scored, with labels that no training row has: '-1'")


def test_a_column_without_a_single_label_is_no_label(tmp_path: Path) -> None:
    path = written(tmp_path / "test.csv", csv_text(["", "", ""]))
    data = load(DataConfig(train=written(tmp_path / "train.csv", csv_text()), test=path))
    assert (data.test_labels, data.notes) == (None, ())


@pytest.mark.parametrize(
    ("layout", "labels", "reason"),
    [
        (as_csv, [9, 7.5, 7], "row 2, column label: 7.5 is no label"),
        (as_parquet, ["9", "7.5", "7"], "row 2, column label: 7.5 is no label"),
        (as_npz, [9, 7], r"array 'y_test' has shape \(2,\), not \(3,\)"),
        (as_idx, [9, 7], "t10k-labels-idx1-ubyte: 2 labels, but .* has 3 images"),
        (as_listed_pictures, [9, "", 7], r"labels.csv: row 2: the label is empty"),
    ],
)
def test_labels_that_cannot_be_read_are_told_with_the_reason_and_cost_nothing(
    layout: Any, labels: list, reason: str, tmp_path: Path
) -> None:
    data = loaded(tmp_path, layout(tmp_path, labels))
    assert data.test_labels is None
    assert len(data.test_images) == 3
    told = [note for note in data.notes if "not used" in note]
    assert len(told) == 1
    assert re.search(reason, told[0])


def test_labels_are_no_part_of_what_identifies_the_data(tmp_path: Path) -> None:
    with_labels = loaded(tmp_path, as_csv(tmp_path, [9, 7, 7]))
    other_labels = loaded(tmp_path, as_csv(tmp_path, [9, 7, 3]))
    assert with_labels.fingerprint() == other_labels.fingerprint()
    assert with_labels.test_labels_sha256 != other_labels.test_labels_sha256


ARRAYS = (IMAGES, [7, 3, 9])


@pytest.mark.parametrize("labels", [[9, 7, 5], np.array([[9], [7], [5]]), ["9", "7", "5"], np.array([9.0, 7.0, 5.0])])
def test_a_pair_of_arrays_is_test_images_with_labels(labels: Any) -> None:
    data = load_arrays(ARRAYS, (IMAGES, labels))
    assert data.test_labels.tolist() == [2, 1, -1]
    assert data.notes[0] == f"test: {SCORES}"


@pytest.mark.parametrize("test", [(IMAGES[0], IMAGES[1]), [IMAGES[0], IMAGES[1]], IMAGES[:2]])
def test_two_images_are_no_pair_of_images_and_labels(test: Any) -> None:
    data = load_arrays(ARRAYS, test)
    assert (len(data.test_images), data.test_labels) == (2, None)


def test_labels_of_test_arrays_are_one_for_each_image() -> None:
    with pytest.raises(UserError, match=r"labels: of shape \(2,\) for 3 images"):
        load_arrays(ARRAYS, (IMAGES, [9, 7]))
