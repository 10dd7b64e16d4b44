"""Every bad file is one line that names the file, the place and the cure."""

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits_ray.config.schema import DataConfig
from digits_ray.data import load, read_images
from digits_ray.errors import UserError

HEADER = "label,pixel0,pixel1,pixel2,pixel3"
GOOD = f"{HEADER}\n7,0,1,2,3\n3,4,5,6,7\n7,8,9,10,11\n"
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)

Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path) -> Refusal:
    """Writes a file, tries to read it and returns the complaint without the file's name."""

    def write_and_read(content: str | bytes, name: str = "train.csv", labelled: bool = True) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return complaint(path, labelled)

    return write_and_read


def complaint(path: Path | str, labelled: bool = True) -> str:
    with pytest.raises(UserError) as caught:
        read_images(path, labelled)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), "one line, no control characters"
    assert len(message) < len(str(path)) + 300
    assert message.endswith((".", ")"))
    print(message)  # pytest -s shows every message as a user would read it
    return message.removeprefix(f"{path}: ")


# The file as a whole


def test_a_missing_file_is_refused_with_the_folder_it_was_sought_in(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.csv").startswith("no such file. Check the path")
    assert str(Path.cwd()) in complaint("none.csv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path).startswith("is a folder")


def test_an_empty_file_is_refused(refusal: Refusal) -> None:
    for name in ("train.csv", "train.csv.gz", "train.parquet", "train.npz"):
        assert refusal(b"", name).startswith("the file is empty")
    assert refusal(gzip.compress(b""), "train.csv.gz").startswith("the file is empty")
    assert refusal("\n\n \n").startswith("the file is empty")


@pytest.mark.parametrize("name", ["train.txt", "train", "train.csv.bz2", "train.npy"])
def test_an_unknown_extension_is_refused_with_the_known_ones(refusal: Refusal, name: str) -> None:
    assert "Use .csv, .csv.gz, .parquet, .npz" in refusal(GOOD, name)


def test_a_zip_archive_is_refused_with_the_advice_to_unzip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("train.csv", GOOD)
    assert "Unzip" in complaint(tmp_path / "train.zip")
    (tmp_path / "train.zip").rename(tmp_path / "train.csv")  # as Kaggle's downloads are at times called
    assert "Unzip" in complaint(tmp_path / "train.csv")


@pytest.mark.parametrize(
    ("error", "words"), [(PermissionError(), "chmod"), (OSError(5, "Input/output error"), "output error")]
)
def test_an_unreadable_file_is_refused(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def fail(_: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)  # root may read every file, so no real one serves
    assert words in refusal(GOOD)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").touch(mode=0)
    assert "chmod" in complaint(tmp_path / "train.csv")


# CSV: compression and encoding


def test_a_truncated_gzip_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    lines = "".join(f"{i % 10},{i % 256},1,2,3\n" for i in range(5000))
    whole = gzip.compress(f"{HEADER}\n{lines}".encode())
    for length in (3, 12, len(whole) // 2, len(whole) - 9, len(whole) - 8, len(whole) - 1):
        (tmp_path / "train.csv.gz").write_bytes(whole[:length])
        assert complaint(tmp_path / "train.csv.gz").startswith("the gzip file is cut off")


def test_a_damaged_gzip_file_is_refused(refusal: Refusal) -> None:
    whole = bytearray(gzip.compress(GOOD.encode()))
    whole[-6] ^= 1  # the checksum
    assert "damaged" in refusal(bytes(whole), "train.csv.gz")
    whole[12] ^= 0xFF  # the compressed text
    assert "damaged" in refusal(bytes(whole), "train.csv.gz")


def test_a_plain_file_called_gz_is_refused(refusal: Refusal) -> None:
    assert "is no gzip file" in refusal(GOOD, "train.csv.gz")


def test_a_gzip_file_called_csv_is_refused(refusal: Refusal) -> None:
    assert "Rename it to end in .csv.gz" in refusal(gzip.compress(GOOD.encode()))


def test_text_that_is_not_utf_8_is_refused_with_its_line(refusal: Refusal) -> None:
    assert refusal(GOOD.replace("\n3,", "\né,").encode("latin-1")).startswith("line 3 is no UTF-8 text")
    assert refusal(GOOD.encode("utf-16")).startswith("line 1 is no UTF-8 text")


def test_random_bytes_are_refused(refusal: Refusal) -> None:
    for seed in range(20):
        for name in ("train.csv", "train.csv.gz", "train.parquet", "train.npz"):
            refusal(np.random.default_rng(seed).bytes(2000), name)


# CSV: the header


def test_a_header_without_rows_is_refused(refusal: Refusal) -> None:
    assert refusal(HEADER).startswith("holds no rows")
    assert refusal(f"{HEADER}\n\n").startswith("holds no rows")


def test_a_missing_header_is_refused(refusal: Refusal) -> None:
    assert refusal("7,0,1,2,3\n3,4,5,6,7\n").startswith("the header is missing")
    assert refusal("seven,0,1,2,3\nthree,4,5,6,7\n").startswith("the header is missing")


def test_an_empty_first_line_is_refused(refusal: Refusal) -> None:
    assert refusal("\n" + GOOD).startswith("line 1 is empty")


def test_training_without_labels_is_refused(refusal: Refusal) -> None:
    assert refusal("pixel0\n1\n").startswith("no column 'label'")


def test_a_wrong_column_is_refused_by_position_and_expected_name(refusal: Refusal) -> None:
    found = refusal("digit,pixel0,pixel1,pixel2,pixel3\n1,2,3,4,5\n")
    assert found.startswith("column 1 is 'digit' where 'pixel0' is expected")
    assert "column 5 is 'id'" in refusal("label,pixel0,pixel1,pixel2,id\n1,2,3,4,5\n")


def test_pixels_out_of_order_are_refused(refusal: Refusal) -> None:
    found = refusal("label,pixel0,pixel2,pixel1,pixel3\n1,2,3,4,5\n")
    assert found.startswith("column 3 is 'pixel2' where 'pixel1' is expected")


def test_a_duplicate_column_is_refused(refusal: Refusal) -> None:
    found = refusal("label,pixel0,pixel1,pixel1,pixel3\n1,2,3,4,5\n")
    assert found.startswith("column 4 is 'pixel1' for the second time")
    assert "'label' for the second time" in refusal("label,label,pixel0\n1,2,3\n")


def test_an_index_written_by_pandas_is_refused_with_its_cure(refusal: Refusal) -> None:
    assert "index=False" in refusal(",label,pixel0\n0,7,3\n")


def test_semicolons_are_refused(refusal: Refusal) -> None:
    assert "with commas" in refusal(GOOD.replace(",", ";"))


def test_a_number_of_pixels_that_is_no_square_is_refused(refusal: Refusal) -> None:
    assert refusal("label,pixel0,pixel1\n1,2,3\n").startswith("2 pixel columns make no square image")
    assert refusal("label\n1\n").startswith("0 pixel columns make no square image")


def test_a_header_with_an_open_quote_is_refused(refusal: Refusal) -> None:
    assert refusal('"label,pixel0\n1,2\n').startswith("line 1 is no header")


# CSV: the cells


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "the cell is empty"),
        ('""', "the cell is empty"),
        ("  ", "the cell is empty"),
        ("abc", "'abc' is no number"),
        ("NaN", "'NaN' is no number"),
        ("-3", "'-3' is below 0"),
        ("256", "'256' is above 255"),
        ("1e3", "'1e3' is above 255"),
        ("inf", "'inf' is above 255"),
        ("0.5", "'0.5' is not written as a whole number"),
        ("7.0", "'7.0' is not written as a whole number"),
    ],
)
def test_a_bad_pixel_is_refused_by_row_line_and_column(refusal: Refusal, cell: str, words: str) -> None:
    text = f"{HEADER}\n7,0,1,2,3\n3,4,5,{cell},7\n7,8,9,10,11\n"
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.replace("\n", "\r")):
        found = refusal(content)
        assert found.startswith("row 2 (line 3), column pixel2: ")
        assert words in found


def test_the_first_of_several_faults_is_named(refusal: Refusal) -> None:
    assert refusal(f"{HEADER}\n1,2,3,4,x\n1,y,3,4,5\n").startswith("row 1 (line 2), column pixel3")


def test_blank_lines_count_as_lines_but_not_as_rows(refusal: Refusal) -> None:
    assert refusal(f"{HEADER}\n\n1,2,3,4,5\n\n1,2,x,4,5\n").startswith("row 2 (line 5), column pixel1")


def test_a_label_over_two_lines_counts_as_two_lines(refusal: Refusal) -> None:
    assert refusal(f'{HEADER}\n"a\nb",2,3,4,5\n1,2,x,4,5\n').startswith("row 2 (line 4), column pixel1")


def test_an_empty_label_is_refused_by_row_and_line(refusal: Refusal) -> None:
    for label in ("", '""', "  "):
        found = refusal(f"{HEADER}\n1,2,3,4,5\n{label},2,3,4,5\n")
        assert found.startswith("row 2 (line 3), column label: the label is empty")


def test_a_row_of_the_wrong_length_is_refused(refusal: Refusal) -> None:
    assert refusal(f"{HEADER}\n1,2,3,4,5\n1,2,3\n").startswith("row 2 (line 3): 3 cells where the header has 5")
    assert refusal(f"{HEADER}\n1,2,3,4,5,6\n").startswith("row 1 (line 2): 6 cells where the header has 5")
    assert refusal(GOOD[:-6]).startswith("row 3 (line 4): 4 cells"), "a file cut off in its last row"


def test_an_open_quote_is_refused(refusal: Refusal) -> None:
    assert refusal(f'{HEADER}\n"1,2,3,4,5\n1,2,3,4,5\n').startswith("row 1 (line 2): 1 cell where")


def test_a_fault_far_down_a_long_file_is_found(refusal: Refusal) -> None:
    lines = ["1,2,3,4,5"] * 400_000
    lines[398_765] = "1,2,3,4,300"
    found = refusal("\n".join([HEADER, *lines]))
    assert found.startswith("row 398766 (line 398767), column pixel3: '300' is above 255")


def test_bad_pixels_of_an_unlabelled_file_are_refused(refusal: Refusal) -> None:
    found = refusal("pixel0\n1\n999\n", "test.csv", labelled=False)
    assert found.startswith("row 2 (line 3), column pixel0: '999' is above 255")


# Parquet


def parquet(folder: Path, **changes: object) -> Path:
    """A small good table with some columns replaced, as a file."""
    columns = {"label": [7, 3, 7], **{f"pixel{i}": [i, 1, 2] for i in range(4)}, **changes}
    pd.DataFrame(columns).to_parquet(folder / "train.parquet", index=False)
    return folder / "train.parquet"


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"pixel1": [0, 300, 2]}, "row 2, column pixel1: '300' is above 255"),
        ({"pixel1": [0, 1, -2]}, "row 3, column pixel1: '-2' is below 0"),
        (
            {"pixel1": pd.array([0, None, 2], dtype="Int64")},
            "row 2, column pixel1: the cell is empty",
        ),
        ({"pixel1": [0.5, 1, 2]}, "column pixel1 is of type double"),
        ({"pixel1": ["0", "1", "2"]}, "column pixel1 is of type"),
        ({"pixel1": [None, None, None]}, "column pixel1 is of type null"),
        ({"label": ["a", None, "b"]}, "row 2, column label: the label is empty"),
        ({"label": ["a", "b", " "]}, "row 3, column label: the label is empty"),
        ({"label": [1.0, 1.5, 2.0]}, "row 2, column label: 1.5 is no label"),
        ({"label": [1.0, np.nan, 2.0]}, "row 2, column label: the label is empty"),
        ({"label": [1.0, 2.0, 1e300]}, "row 3, column label: 1e+300 is no label"),
        ({"label": [True, False, True]}, "column label is of type bool"),
        ({"label": [[1], [2], [3]]}, "column label is of type list"),
        ({"extra": [1, 2, 3]}, "column 6 is 'extra' where 'pixel4' is expected"),
        ({"pixel4": [1, 2, 3]}, "5 pixel columns make no square image"),
    ],
)
def test_a_bad_parquet_table_is_refused(tmp_path: Path, changes: dict, start: str) -> None:
    assert complaint(parquet(tmp_path, **changes)).startswith(start)


def test_a_parquet_table_without_rows_is_refused(tmp_path: Path) -> None:
    pd.read_parquet(parquet(tmp_path))[:0].to_parquet(tmp_path / "train.parquet", index=False)
    assert complaint(tmp_path / "train.parquet").startswith("holds no rows")


def test_a_parquet_table_without_labels_is_no_training_data(tmp_path: Path) -> None:
    pd.read_parquet(parquet(tmp_path)).drop(columns="label").to_parquet(tmp_path / "train.parquet")
    assert complaint(tmp_path / "train.parquet").startswith("no column 'label'")


def test_a_truncated_parquet_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = parquet(tmp_path).read_bytes()
    for length in (1, 4, len(whole) // 2, len(whole) - 1):
        (tmp_path / "train.parquet").write_bytes(whole[:length])
        assert "is not a complete Parquet file" in complaint(tmp_path / "train.parquet")


def test_csv_text_called_parquet_is_refused(refusal: Refusal) -> None:
    assert "is not a complete Parquet file" in refusal(GOOD, "train.parquet")


# NumPy archives


class Trap:
    """Would create a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def npz(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "train.npz", **arrays)
    return folder / "train.npz"


@pytest.mark.parametrize("key", ["images", "labels"])
def test_pickled_objects_are_refused_and_never_loaded(tmp_path: Path, key: str) -> None:
    trap = np.array([Trap(tmp_path / "sprung")] * 3, object)
    path = npz(tmp_path, **{"images": IMAGES, "labels": np.arange(3), key: trap})
    assert f"array '{key}' holds pickled objects" in complaint(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("arrays", "start"),
    [
        ({"x": IMAGES}, "no array 'images', but 'x'"),
        ({}, "no array 'images', but nothing"),
        ({"images": IMAGES}, "no array 'labels', but 'images'"),
        ({"images": IMAGES / 255}, "array 'images' is float64, not uint8"),
        ({"images": IMAGES.reshape(3, 4)}, "array 'images' has shape (3, 4), not (rows, height, width)"),
        ({"images": IMAGES[..., None]}, "array 'images' has shape (3, 2, 2, 1), not"),
        ({"images": IMAGES[:0], "labels": np.arange(0)}, "holds no rows"),
        ({"images": IMAGES, "labels": np.arange(2)}, "array 'labels' has shape (2,), not (3,)"),
        ({"images": IMAGES, "labels": np.eye(3)}, "array 'labels' has shape (3, 3), not (3,)"),
        ({"images": IMAGES, "labels": [1, 2.5, 3]}, "row 2, array 'labels': 2.5 is no label"),
        ({"images": IMAGES, "labels": [1, 2, np.nan]}, "row 3, array 'labels': nan is no label"),
        ({"images": IMAGES, "labels": ["a", "", "b"]}, "row 2, array 'labels': the label is empty"),
        ({"images": IMAGES, "labels": [True, False, True]}, "array 'labels' is bool"),
        ({"images": IMAGES, "labels": [b"a", b"b", b"c"]}, "array 'labels' is |S1"),
    ],
)
def test_a_bad_npz_archive_is_refused(tmp_path: Path, arrays: dict, start: str) -> None:
    assert complaint(npz(tmp_path, **arrays)).startswith(start)


def test_a_truncated_npz_archive_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = npz(tmp_path, images=IMAGES, labels=np.arange(3)).read_bytes()
    for length in (1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "train.npz").write_bytes(whole[:length])
        assert ".npz archive" in complaint(tmp_path / "train.npz")


def test_an_npz_archive_with_a_damaged_array_is_refused(tmp_path: Path) -> None:
    whole = bytearray(npz(tmp_path, images=IMAGES, labels=np.arange(3)).read_bytes())
    whole[whole.index(IMAGES.tobytes())] ^= 1
    (tmp_path / "train.npz").write_bytes(whole)
    assert "is damaged" in complaint(tmp_path / "train.npz")


def test_an_npy_file_called_npz_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "train.npy", IMAGES)
    (tmp_path / "train.npy").rename(tmp_path / "train.npz")
    assert "is not a complete .npz archive" in complaint(tmp_path / "train.npz")


@pytest.mark.parametrize("name", ["train.parquet", "train.npz"])
def test_a_file_with_any_one_byte_changed_is_read_or_refused_but_never_crashes(tmp_path: Path, name: str) -> None:
    parquet(tmp_path)
    npz(tmp_path, images=IMAGES, labels=np.arange(3))
    whole = (tmp_path / name).read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        (tmp_path / name).write_bytes(changed)
        try:
            read_images(tmp_path / name, labelled=True)
        except UserError as error:
            assert str(error).isprintable()


# Two files together


def load_complaint(train: Path | None, test: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        load(DataConfig(train and str(train), test and str(test)))
    print(caught.value)
    return str(caught.value)


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD.replace("\n3,", "\n7,"))
    assert "train.csv: every row has the label 7" in load_complaint(tmp_path / "train.csv")


def test_train_and_test_of_different_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD)
    (tmp_path / "test.csv").write_text("pixel0\n1\n")
    found = load_complaint(tmp_path / "train.csv", tmp_path / "test.csv")
    assert "test.csv: images of 1 × 1 pixels" in found
    assert "2 × 2" in found


def test_a_test_file_without_a_training_file_is_refused(tmp_path: Path) -> None:
    assert "--train" in load_complaint(None, tmp_path / "test.csv")


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> bytes:  # root may enter every folder
        raise PermissionError(13, "Permission denied")

    for look in ("is_dir", "read_bytes"):
        monkeypatch.setattr(Path, look, denied)
    assert "you may not read this file" in complaint(tmp_path / "train.csv")
