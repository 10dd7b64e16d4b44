"""CSV as people write it."""

import gzip
from pathlib import Path

import pytest
from image_files import (
    HEADER,
    assert_is_the_sample,
    csv_text,
    random_frame,
    written,
)

from digits_ray.data import read_images
from digits_ray.data.readers import csv


def test_kaggle_csv_becomes_square_images_and_class_indices(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text()))


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text(line_end="\r\n")))


def test_old_macintosh_line_ends_are_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text(line_end="\r")))


def test_a_last_line_without_line_end_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().rstrip("\n")))


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().replace("\n", "\n\n")))


def test_a_gzip_file_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv.gz", gzip.compress(csv_text().encode())))


@pytest.mark.parametrize("name", ["train.csv", "train.txt", "train", "train.csv.bz2", "train.parquet", "train.npz"])
def test_csv_is_recognised_by_its_content_whatever_its_name(tmp_path: Path, name: str) -> None:
    assert_is_the_sample(written(tmp_path / name, csv_text()))
    assert_is_the_sample(written(tmp_path / name, gzip.compress(csv_text().encode())))
    assert_is_the_sample(written(tmp_path / f"{name}.gz", csv_text()))


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    text = csv_text().encode()
    assert_is_the_sample(written(tmp_path / "train.csv.gz", gzip.compress(text[:40]) + gzip.compress(text[40:])))


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", b"\xef\xbb\xbf" + csv_text().encode()))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("name", ["train.csv", "train.txt", "train.csv.gz"])
def test_text_in_wide_characters_is_read_with_and_without_byte_order_mark(
    tmp_path: Path, name: str, encoding: str
) -> None:
    content = csv_text().encode(encoding)
    assert_is_the_sample(written(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content))


def test_a_quoted_header_still_gives_bytes(tmp_path: Path) -> None:
    quoted = ",".join(f'"{name}"' for name in HEADER.split(","))
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().replace(HEADER, quoted)))


def test_quoted_cells_are_read(tmp_path: Path) -> None:
    lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in csv_text().splitlines()]
    assert_is_the_sample(written(tmp_path / "train.csv", "\n".join(lines)))


def test_an_extension_in_capitals_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "TRAIN.CSV", csv_text()))


def test_the_label_may_be_the_last_column(tmp_path: Path) -> None:
    lines = [line.split(",") for line in csv_text().splitlines()]
    moved = "\n".join(",".join([*cells[1:], cells[0]]) for cells in lines)
    assert_is_the_sample(written(tmp_path / "train.csv", moved))


def test_many_rows_keep_their_order_across_parsed_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 10_000)
    frame = random_frame(20_000)
    frame.to_csv(tmp_path / "train.csv", index=False)
    file = read_images(tmp_path / "train.csv", labelled=True)
    assert (file.images.reshape(-1, 16) == frame.to_numpy()[:, 1:]).all()
    assert (file.labels == frame["label"]).all()


def test_labels_over_two_lines_are_read_across_parsed_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 1000)
    rows = "".join(f'"two\nlines {row % 7}",{row % 256}\n' for row in range(1000))
    file = read_images(written(tmp_path / "train.csv", f"label,pixel0\n{rows}"), labelled=True)
    assert file.classes == tuple(f"two\nlines {i}" for i in range(7))
    assert file.images.ravel().tolist() == [row % 256 for row in range(1000)]
