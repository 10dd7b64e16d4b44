"""Files of any format: what the path names, and whether it can be read."""

import gzip
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_files import (
    GOOD_CSV,
    IMAGES,
    Refusal,
    complaint,
    csv_text,
    write_npz,
    write_parquet,
    written,
)

from digits_ray.config import DataConfig
from digits_ray.data import read_images
from digits_ray.errors import UserError


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
def test_unknown_content_under_an_unknown_extension_is_refused_with_the_known_ones(refusal: Refusal, name: str) -> None:
    assert "Use .parquet, .npz, .csv, .csv.gz, IDX (-idx3-ubyte), pictures or a folder" in refusal(
        b"\x00\x01, \x02", name
    )


def test_a_zip_archive_is_refused_with_the_advice_to_unzip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("train.csv", GOOD_CSV)
    assert "Unzip" in complaint(tmp_path / "train.zip")
    (tmp_path / "train.zip").rename(tmp_path / "train.csv")  # as Kaggle's downloads are at times called
    assert "Unzip" in complaint(tmp_path / "train.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({b"data": IMAGES}, protocol=2), "is a pickle, which is never loaded"),
        (pickle.dumps([IMAGES], protocol=4), "is a pickle, which is never loaded"),
        (gzip.compress(pickle.dumps((IMAGES, 1), protocol=3)), "is a pickle, which is never loaded"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "is a MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "is an HDF5 file"),
        (b"BZh91AY&SY" + bytes(9), "is compressed by bzip2. Unpack it first."),
        (b"\xfd7zXZ\0" + bytes(9), "is compressed by xz. Unpack it first."),
        (b"train.csv".ljust(257, b"\0") + b"ustar\0" + bytes(200), "is a tar archive. Unpack it first."),
        (b"ARROW1\0\0" + bytes(9), "is an Arrow table. Write it as Parquet."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an Excel workbook. Save its sheet as CSV."),
        (b'{"label": 3, "pixels": [0, 1, 2, 0]}\n', "is JSON. Write it as CSV"),
        (b"[[0, 1, 2], [3, 0, 0]]", "is JSON. Write it as CSV"),
        (b"% MNIST, small\n@RELATION mnist\n@ATTRIBUTE pixel1 REAL\n", "is ARFF. Write it as CSV"),
        (b"<!DOCTYPE html><title>Kaggle, please log in</title>", "is a page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "is a pointer of Git LFS, not the"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ["train", "train.csv"])
def test_formats_that_are_known_and_not_read_are_named_by_their_content(
    refusal: Refusal, content: bytes, words: str, name: str
) -> None:
    assert refusal(content, name).startswith(words)


def test_an_excel_workbook_is_no_archive_to_unzip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    assert complaint(tmp_path / "train.csv") == "is an Excel workbook. Save its sheet as CSV."


@pytest.mark.parametrize("settings", [{"size": 3}, {"size": (2, 3)}, {"grayscale": False}, {"height": 4}])
def test_settings_that_convert_pictures_are_refused_for_other_images(tmp_path: Path, settings: dict) -> None:
    path = write_npz(tmp_path, images=IMAGES, labels=[7, 3, 7])
    assert "and only " in complaint(path, settings=DataConfig(**settings))
    assert (
        read_images(path, labelled=True, settings=DataConfig(size=2, grayscale=True)).images.tolist() == IMAGES.tolist()
    )


@pytest.mark.parametrize(
    ("error", "words"), [(PermissionError(), "chmod"), (OSError(5, "Input/output error"), "output error")]
)
def test_an_unreadable_file_is_refused(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def fail(_: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)  # root may read every file, so no real one serves
    assert words in refusal(GOOD_CSV)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").touch(mode=0)
    assert "chmod" in complaint(tmp_path / "train.csv")


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> bytes:  # root may enter every folder
        raise PermissionError(13, "Permission denied")

    for look in ("is_dir", "read_bytes"):
        monkeypatch.setattr(Path, look, denied)
    assert "you may not read this file" in complaint(tmp_path / "train.csv")


@pytest.mark.parametrize("name", ["train.parquet", "train.npz"])
def test_a_file_with_any_one_byte_changed_is_read_or_refused_but_never_crashes(tmp_path: Path, name: str) -> None:
    write_parquet(tmp_path)
    write_npz(tmp_path, images=IMAGES, labels=np.arange(3))
    whole = (tmp_path / name).read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        (tmp_path / name).write_bytes(changed)
        try:
            read_images(tmp_path / name, labelled=True)
        except UserError as error:
            assert str(error).isprintable()


def test_labels_that_need_not_be_there_are_text_where_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "test.csv", csv_text(["", "x", ""]))
    file = read_images(path, labelled=False)
    assert (len(file.images), file.labels, file.classes) == (3, None, ())
    assert file.label_texts.to_pylist() == [None, "x", None]
    assert file.notes == ()
