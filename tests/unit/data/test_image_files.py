"""Files of any format: what the path names, and whether it can be read."""

import gzip
import os
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
