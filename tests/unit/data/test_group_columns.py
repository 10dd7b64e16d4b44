"""The column or array of groups, in every layout that has columns."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from digits_ray.config import DataConfig
from digits_ray.data import load, load_arrays, read_images
from digits_ray.errors import UserError

ROWS = 12
IMAGES = np.random.default_rng(0).integers(2, 254, (ROWS, 4, 4), dtype=np.uint8)
LABELS = np.arange(ROWS) % 2
WRITERS = np.array([f"w{number // 3}" for number in range(ROWS)])
EXPECTED = [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def table(writers: object = WRITERS) -> pd.DataFrame:
    frame = pd.DataFrame(IMAGES.reshape(ROWS, -1), columns=[f"pixel{number}" for number in range(16)])
    return frame.assign(writer=writers, label=LABELS)


def csv(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(folder / "train.csv", index=False)
    return folder / "train.csv"


def packed_csv(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "train.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    return folder / "train.csv.gz"


def parquet(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(folder / "train.parquet")
    return folder / "train.parquet"


def parts(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "parts").mkdir()
    frame[:5].to_parquet(folder / "parts/0.parquet")
    frame[5:].to_parquet(folder / "parts/1.parquet")
    return folder / "parts"


def npz(folder: Path, frame: pd.DataFrame) -> Path:
    np.savez(folder / "train.npz", images=IMAGES, labels=LABELS, writer=frame["writer"].to_numpy().astype(str))
    return folder / "train.npz"


def npz_with_validation(folder: Path, frame: pd.DataFrame) -> Path:
    writers = frame["writer"].to_numpy().astype(str)
    arrays = {"x_train": IMAGES[:8], "y_train": LABELS[:8], "x_val": IMAGES[8:], "y_val": LABELS[8:]}
    np.savez(folder / "train.npz", writer=writers, **arrays)
    return folder / "train.npz"


def pictures(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "pictures").mkdir()
    lines = ["file,writer,label"]
    for row, (image, writer, label) in enumerate(zip(IMAGES, frame["writer"], LABELS, strict=True)):
        Image.fromarray(image).save(folder / f"pictures/{row}.png")
        lines.append(f"{row}.png,{writer},{label}")
    (folder / "pictures/labels.csv").write_text("\n".join(lines))
    return folder / "pictures"


def parquet_of_pictures(folder: Path, frame: pd.DataFrame) -> Path:
    source = pictures(folder, frame)
    packed = [{"bytes": (source / f"{row}.png").read_bytes(), "path": None} for row in range(ROWS)]
    path = folder / "pictures.parquet"
    pd.DataFrame({"image": packed, "writer": frame["writer"], "label": LABELS}).to_parquet(path)
    return path


LAYOUTS = [csv, packed_csv, parquet, parts, npz, npz_with_validation, pictures, parquet_of_pictures]
Layout = Callable[[Path, pd.DataFrame], Path]
in_every_layout = pytest.mark.parametrize("write", LAYOUTS)


@in_every_layout
def test_the_groups_are_read_and_are_no_pixels(write: Layout, tmp_path: Path) -> None:
    data = load(DataConfig(write(tmp_path, table())), groups="writer")
    assert data.images.shape == (ROWS, 4, 4)
    assert data.groups is not None
    assert (data.groups.tolist(), data.groups.dtype) == (EXPECTED, np.int32)


def test_the_same_groups_have_one_fingerprint_whatever_file_or_array_they_are_in(tmp_path: Path) -> None:
    arrays = load_arrays((IMAGES, LABELS), None, groups=WRITERS)
    file = load(DataConfig(parquet(tmp_path, table())), groups="writer")
    renamed = load(DataConfig(csv(tmp_path, table(10 - np.array(EXPECTED)))), groups="writer")
    assert arrays.fingerprint() == file.fingerprint() == renamed.fingerprint()
    assert arrays.fingerprint()["groups_sha256"] != load_arrays(
        (IMAGES, LABELS), None, groups=LABELS
    ).fingerprint().get("groups_sha256")


@pytest.mark.parametrize("write", [csv, parquet])
def test_a_group_may_be_a_number_named_like_the_pixels(write: Layout, tmp_path: Path) -> None:
    frame = table(np.array(EXPECTED)).rename(columns={"writer": "pixel99"})
    data = load(DataConfig(write(tmp_path, frame)), groups="pixel99")
    assert data.images.shape == (ROWS, 4, 4)
    assert data.groups is not None
    assert data.groups.tolist() == EXPECTED


@in_every_layout
def test_images_to_label_need_no_groups_and_theirs_are_not_read(write: Layout, tmp_path: Path) -> None:
    path = write(tmp_path, table())
    assert read_images(path, labelled=False, groups="writer").images.shape[1:] == (4, 4)
    assert read_images(path, labelled=False, groups="writer").groups is None


@pytest.mark.parametrize("write", [csv, parquet, parquet_of_pictures])
def test_ids_of_images_to_label_stay_ids_where_they_are_the_groups_of_training_images(
    write: Layout, tmp_path: Path
) -> None:
    path = write(tmp_path, table().rename(columns={"writer": "id"}) if write is not parquet_of_pictures else table())
    name = "writer" if write is parquet_of_pictures else "id"
    file = read_images(path, labelled=False, settings=DataConfig(id=name), groups=name)
    assert (file.id_column, file.ids.to_pylist()) == (name, WRITERS.tolist())
    assert load(DataConfig(path), groups=name).train_rows == ROWS


@in_every_layout
def test_a_name_that_is_not_there_is_refused_with_those_that_are(write: Layout, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split.groups: no (column|array) 'patient'.* but .*Name one of these\.$"):
        load(
            DataConfig(write(tmp_path, table()), drop=() if write in (npz, pictures) else ("writer",)), groups="patient"
        )


@in_every_layout
def test_the_label_is_no_group(write: Layout, tmp_path: Path) -> None:
    name = {npz: "labels", npz_with_validation: "y_train"}.get(write, "label")
    with pytest.raises(UserError):
        load(DataConfig(write(tmp_path, table()), label=name), groups=name)


@in_every_layout
def test_an_empty_group_is_refused_by_its_row(write: Layout, tmp_path: Path) -> None:
    frame = table()
    frame["writer"] = ["" if row == 4 else writer for row, writer in enumerate(WRITERS)]
    row = 5
    with pytest.raises(UserError, match=rf"row {row}, .*writer.*: the group is empty"):
        load(DataConfig(write(tmp_path, frame)), groups="writer")


def test_layouts_without_columns_are_refused(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "folders" / label).mkdir(parents=True)
        Image.fromarray(IMAGES[0]).save(tmp_path / "folders" / label / "0.png")
    with pytest.raises(UserError, match=r"no column 'writer' is read from data of this layout.*labels.csv"):
        load(DataConfig(tmp_path / "folders"), groups="writer")
    with pytest.raises(UserError, match="the built-in digits have no column 'writer'"):
        load(DataConfig(), groups="writer")


def test_a_column_both_dropped_and_grouped_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split.groups and data.drop both name 'writer'"):
        load(DataConfig(csv(tmp_path, table()), drop=("writer",)), groups="writer")


def test_groups_that_name_the_label_are_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split\.groups names the label, 'label'\. Name another column"):
        load(DataConfig(csv(tmp_path, table())), groups="label")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (WRITERS[:-1], r"groups: of shape \(11,\) for 12 images. Give one group for each image"),
        ([None, *WRITERS[1:]], r"groups: the group is empty"),
        (np.linspace(0, 1, ROWS), r"groups: 0.0909.* is no group. Write whole numbers or text"),
    ],
)
def test_arrays_of_groups_are_checked(groups: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_arrays((IMAGES, LABELS), None, groups=groups)
