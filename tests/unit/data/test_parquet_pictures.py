"""Parquet with a picture in each row, and folders of Parquet parts, good and bad."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from image_files import complaint, random_frame
from picture_files import COLOURED, PICTURE, encoded, png, readable

from digits_ray.config import DataConfig
from digits_ray.data import read_images
from digits_ray.errors import UserError

LABELS = [7, 3, 7]


def in_struct(*contents: bytes | None) -> list[dict[str, object]]:
    return [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(contents)]


def write(path: Path, **columns: object) -> Path:
    given = {"image": in_struct(*[encoded(PICTURE + np.uint8(row)) for row in range(3)]), "label": LABELS, **columns}
    pd.DataFrame({name: values for name, values in given.items() if values is not None}).to_parquet(path, index=False)
    return path


def test_pictures_in_a_struct_are_read_with_their_labels(tmp_path: Path) -> None:
    file = read_images(write(tmp_path / "train.parquet"), labelled=True)
    assert file.images.tolist() == [(PICTURE + shift).tolist() for shift in range(3)]
    assert [file.classes[label] for label in file.labels] == LABELS


def test_pictures_may_be_plain_bytes_in_any_column(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x", image=None, png=[encoded(COLOURED)] * 3, label=None, Class=["a", "b", "a"], day=[1] * 3
    )
    file = read_images(path, labelled=True)
    assert (file.images.shape, file.classes) == ((3, 2, 3, 3), ("a", "b"))
    assert file.notes == (f"{path}: column 'Class' is the label", f"{path}: not read: column 'day'")


def test_ids_of_pictures_come_with_their_name(tmp_path: Path) -> None:
    file = read_images(write(tmp_path / "t.parquet", label=None, image_id=[9, 8, 7]), labelled=False)
    assert (file.ids.to_pylist(), file.id_column) == (["9", "8", "7"], "image_id")


def test_settings_name_columns_and_convert(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", mask=[encoded(PICTURE)] * 3, label=None, coarse=[1, 2, 1])
    settings = DataConfig(label="coarse", drop=("mask",), size=4, grayscale=False)
    file = read_images(path, labelled=True, settings=settings)
    assert (file.images.shape, file.classes) == ((3, 4, 4, 3), (1, 2))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": None}, "no column 'label' (nor class, target, y), but 'image'"),
        ({"label": [7, None, 3]}, "row 2, column label: the label is empty"),
        ({"image": in_struct(encoded(), None, encoded())}, "row 2, column image: no bytes of a picture"),
        ({"image": in_struct(encoded(), b"x", encoded())}, "row 2, column image: is not a picture"),
        ({"image": in_struct(encoded(), encoded(), encoded()[:-30])}, "row 3, column image: the picture is damaged"),
        ({"image": in_struct(encoded(), encoded(PICTURE.T), b"")}, "row 2, column image: 3 × 2 pixels"),
        ({"image": in_struct(encoded(), encoded(COLOURED), b"")}, "row 2, column image: 2 × 3 pixels, coloured"),
        ({"image": in_struct(png(50_000, 50_000), b"", b"")}, "row 1, column image: this picture has more than 64"),
        ({"other": [encoded()] * 3}, "2 columns of pictures ('image', 'other'). Leave out all others"),
        ({"image": in_struct(), "label": []}, "holds no rows"),
    ],
    ids=readable,
)
def test_a_bad_table_of_pictures_is_refused(tmp_path: Path, columns: dict[str, object], words: str) -> None:
    if columns.get("label") == []:
        schema = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})
        pyarrow.parquet.write_table(schema.empty_table(), tmp_path / "t.parquet")
    else:
        write(tmp_path / "t.parquet", **columns)
    assert words in complaint(tmp_path / "t.parquet").removeprefix(": ")


def test_a_label_that_no_column_has_is_refused(tmp_path: Path) -> None:
    message = complaint(write(tmp_path / "t.parquet"), settings=DataConfig(label="fine"))
    assert message.startswith("data.label: no column 'fine', but 'image', 'label'")


def test_a_table_of_zeros_is_refused_without_filling_the_memory(tmp_path: Path) -> None:
    zeros = pa.chunked_array([pa.array([{"bytes": bytes(1 << 20)}])] * 270)
    table = pa.table({"image": zeros, "label": [1] * 270})
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", **options)
    assert "which no real images do" in complaint(tmp_path / "t.parquet")


def test_a_table_with_any_byte_changed_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    content = write(tmp_path / "t.parquet").read_bytes()
    for position in np.random.default_rng(0).integers(0, len(content), 200):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        (tmp_path / "t.parquet").write_bytes(changed)
        try:
            read_images(tmp_path / "t.parquet", labelled=True)
        except UserError as error:
            assert str(error).isprintable()


def write_parts(folder: Path, *frames: pd.DataFrame, name: str = "part-{}.parquet") -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames, start=8):  # so that part 10 would sort before part 8 as text
        frame.to_parquet(folder / name.format(number), index=False)
    return folder


def test_a_folder_of_parts_is_read_as_a_single_table(tmp_path: Path) -> None:
    frame = random_frame(9)
    folder = write_parts(tmp_path / "t.parquet", frame[:3], frame[3:6], frame[6:6], frame[6:])
    (folder / "_SUCCESS").touch()
    (folder / ".part-8.parquet.crc").write_bytes(b"x")
    frame.to_parquet(tmp_path / "single.parquet", index=False)
    parts, single = (read_images(tmp_path / name, labelled=True) for name in ("t.parquet", "single.parquet"))
    assert parts.images.tolist() == single.images.tolist()
    assert parts.labels.tolist() == single.labels.tolist()


def test_parts_may_hold_pictures(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for number in (0, 1):
        write(tmp_path / "t" / f"train-{number:05}-of-00002.parquet")
    file = read_images(tmp_path / "t", labelled=True)
    assert (file.images.shape, len(file.labels)) == ((6, 2, 3), 6)


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({"a": random_frame(3), "b": random_frame(3).iloc[:, :10]}, "/b.parquet: images of shape (3, 3), but"),
        ({"a": random_frame(3), "b": random_frame(3).drop(columns="label")}, "/b.parquet: no column 'label'"),
        ({"a": random_frame(0)}, ": its parts hold no rows"),
        ({"train-0": random_frame(3), "test-0": random_frame(3)}, ": holds parts for several purposes"),
    ],
    ids=readable,
)
def test_bad_parts_are_refused(tmp_path: Path, files: dict[str, pd.DataFrame], start: str) -> None:
    for name, frame in files.items():
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    with pytest.raises(UserError) as caught:
        read_images(tmp_path, labelled=True)
    assert str(caught.value).startswith(f"{tmp_path}{start}")


def test_a_damaged_part_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "t", random_frame(3), random_frame(3))
    (folder / "part-9.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"part-9\.parquet: is not a complete Parquet file"):
        read_images(folder, labelled=True)
