"""Files that would fill the memory, that lead nowhere, or that are half there: refused in one line."""

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_files import GOOD_CSV, IMAGES, Refusal, complaint, written

from digits_ray.data.readers import source


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs explode at a mebibyte, so that tests stay quick."""
    monkeypatch.setattr(source, "_ALWAYS_READ_BYTES", 1 << 20)
    monkeypatch.setattr(source, "_CHUNK_BYTES", 1 << 18)


def test_a_gzip_file_of_zeros_is_no_table(refusal: Refusal) -> None:
    zeros = gzip.compress(bytes(50 << 20))
    assert "files of this kind are not read" in refusal(zeros, "train.dat")
    assert "no real images" in refusal(gzip.compress(bytes(300 << 20), 1), "train.csv.gz")


@pytest.mark.usefixtures("low_limit")
def test_a_gzip_file_that_would_fill_the_memory_is_refused_before_it_does(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, sizes = gzip.GzipFile.read, []

    def counted(file: gzip.GzipFile, size: int = -1) -> bytes:
        sizes.append(size)
        return read(file, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    bomb = gzip.compress(b"label,pixel0\n" + b"1,2\n" * (4 << 20))
    assert "no real images" in refusal(bomb, "train.csv.gz")
    assert sum(sizes) <= 100 * len(bomb) + (1 << 20)


@pytest.mark.usefixtures("low_limit")
def test_an_npz_archive_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "t.npz", images=np.zeros((4000, 28, 28), np.uint8), labels=np.zeros(4000))
    assert "no real images" in complaint(tmp_path / "t.npz")


@pytest.mark.usefixtures("low_limit")
def test_a_parquet_table_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame(np.zeros((200_000, 9), np.uint8), columns=[f"pixel{i}" for i in range(9)])
    table.assign(label="a").to_parquet(tmp_path / "t.parquet", index=False)
    assert "no real images" in complaint(tmp_path / "t.parquet")


def test_an_array_that_claims_more_than_the_archive_holds_is_damaged(tmp_path: Path) -> None:
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 28, 28)}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(100))
    assert "is damaged" in complaint(tmp_path / "t.npz", labelled=False)


def test_a_symbolic_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").symlink_to(tmp_path / "train.csv")
    assert "cannot be read" in complaint(tmp_path / "train.csv")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "b.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    assert "cannot be read" in complaint(tmp_path / "a.csv")


def test_a_link_to_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").symlink_to(tmp_path / "gone.csv")
    assert "no such file" in complaint(tmp_path / "train.csv")


def test_a_device_is_refused() -> None:
    for device in ("/dev/zero", "/dev/null"):
        assert complaint(device) == "is a device. Name a file."


@pytest.mark.parametrize("path", ["a\0b.csv", "x" * 5000 + ".csv", "~nobody-of-this-name/train.csv"])
def test_a_path_that_no_system_takes_is_refused(path: str) -> None:
    with pytest.raises(source.UserError, match=r"(no such file|cannot be read)"):
        _ = source.Source(path).raw


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "train.csv", GOOD_CSV)
    assert "cannot be read" in complaint(tmp_path / "train.csv" / "more.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert "you may not read" in complaint(tmp_path / "closed" / "train.csv")


MALFORMED: dict[str, bytes] = {
    "one number": b"7",
    "a sentence": b"this is, as you see, no table at all",
    "a page of a web site": b"<!DOCTYPE html>\n<html><head><title>404, not found</title></head></html>",
    "JSON": b'{"label": [1, 2], "pixel0": [3, 4]}',
    "rows of different lengths without header": b"1,2,3,4,5\n1,2,3\n",
    "text in a file without header": b"1,2,3,4,9\n1,x,3,4,5\n",
    "two labels alone": b"label,class\n1,2\n",
    "a label and nothing else": b"label,\n1,\n",
    "negative pixels": b"label,pixel0\n1,-0.5\n2,1\n",
    "a pixel of two numbers": b"label,pixel0\n1,2 3\n",
    "a decimal comma": b'label,pixel0\n1,"0,5"\n',
    "a thousands separator": b'label,pixel0\n1,"1,000"\n',
    "fractions beside bytes": b"label,pixel0\n1,0.5\n2,200\n",
    "infinite": b"label,pixel0\n1,inf\n2,0.5\n",
    "a hole among fractions": b"label,pixel0\n1,\n2,0.5\n",
    "a pixel too long": b"label,pixel0\n1," + b"9" * 500 + b"\n",
    "no comma": b"label pixel0\n1 2\n",
    "only commas": b",,,,\n,,,,\n",
    "a numpy header cut short": b"\x93NUMPY\x01\x00\x76",
    "a zip archive of nothing": b"PK\x05\x06" + bytes(18),
    "a zip archive cut short": b"PK\x03\x04images.npy",
    "parquet cut short": b"PAR1\x15\x04",
    "parquet, an empty footer": b"PAR1" + bytes(4) + b"PAR1",
    "gzip cut short": b"\x1f\x8b\x08\x00",
    "gzip inside gzip": gzip.compress(gzip.compress(GOOD_CSV.encode())),
    "UTF-16 cut short": GOOD_CSV.encode("utf-16-le")[:-1],
}


@pytest.mark.parametrize("name", ["train.csv", "train.parquet", "train.npz", "train"])
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_is_refused_in_a_line_whatever_its_name(refusal: Refusal, kind: str, name: str) -> None:
    refusal(MALFORMED[kind], name)


@pytest.mark.parametrize("arrays", [{"images": IMAGES[:2]}, {"images": IMAGES, "labels": [["a", "b"]] * 3}])
def test_labels_that_do_not_fit_the_images_are_refused(tmp_path: Path, arrays: dict) -> None:
    np.savez(tmp_path / "t.npz", **{"labels": np.arange(3), **arrays})
    assert "array 'labels' has shape" in complaint(tmp_path / "t.npz")
