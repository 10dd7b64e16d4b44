"""Parquet, good and bad."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_files import HEADER, LABELS, PIXELS, Refusal, assert_is_the_sample, complaint, write_parquet


@pytest.mark.parametrize("position", [0, 2, 4])
def test_parquet_is_read_wherever_its_label_stands(tmp_path: Path, position: int) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:])
    frame.insert(position, "label", [7, 3, 7])
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


def test_parquet_with_whole_float_labels_gives_integers(tmp_path: Path) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:]).assign(label=[7.0, 3.0, 7.0])
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


def test_parquet_with_categorical_labels_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:])
    frame["label"] = pd.Categorical(LABELS)
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"pixel1": [0, 300, 2]}, "row 2, column pixel1: '300' is above 255"),
        ({"pixel1": [0, 1, -2]}, "row 3, column pixel1: '-2' is below 0"),
        (
            {"pixel1": pd.array([0, None, 2], dtype="Int64")},
            "row 2, column pixel1: the cell is empty",
        ),
        ({"pixel1": [0.5, 1, 2]}, "row 1, column pixel1: 0.5 is not whole, but the greatest is 3"),
        ({"pixel1": [1.0, -0.5, 2]}, "row 2, column pixel1: -0.5 is below 0"),
        ({"pixel1": [1.0, 2.0, 256.0]}, "row 3, column pixel1: 256 is above 255"),
        ({"pixel1": [1.0, np.inf, 2.0]}, "row 2, column pixel1: inf is above 255"),
        ({"pixel1": [1.0, np.nan, 2.0]}, "row 2, column pixel1: the cell is empty"),
        ({"pixel1": [True, False, True]}, "column pixel1 is of type bool"),
        ({"pixel1": ["0", "1", "2"]}, "column pixel1 is of type"),
        ({"pixel1": [None, None, None]}, "column pixel1 is of type null"),
        ({"label": ["a", None, "b"]}, "row 2, column label: the label is empty"),
        ({"label": ["a", "b", " "]}, "row 3, column label: the label is empty"),
        ({"label": [1.0, 1.5, 2.0]}, "row 2, column label: 1.5 is no label"),
        ({"label": [1.0, np.nan, 2.0]}, "row 2, column label: the label is empty"),
        ({"label": [1.0, 2.0, 1e300]}, "row 3, column label: 1e+300 is no label"),
        ({"label": [b"a", b"\xff", b"b"]}, "column label holds text that is not UTF-8"),
        ({"label": pd.date_range("2026-01-01", periods=3)}, "column label is of type timestamp"),
        ({"label": [[1], [2], [3]]}, "column label is of type list"),
        ({"extra": [1, 2, 3]}, "neither label nor pixels: 'extra'. Leave them out by --set 'data.drop=[extra]'"),
        ({"pixel4": [1, 2, 3]}, "5 pixels an image make no square"),
    ],
)
def test_a_bad_parquet_table_is_refused(tmp_path: Path, changes: dict, start: str) -> None:
    assert complaint(write_parquet(tmp_path, **changes)).startswith(start)


def test_a_parquet_table_without_rows_is_refused(tmp_path: Path) -> None:
    pd.read_parquet(write_parquet(tmp_path))[:0].to_parquet(tmp_path / "train.parquet", index=False)
    assert complaint(tmp_path / "train.parquet").startswith("holds no rows")


def test_a_parquet_table_without_labels_is_no_training_data(tmp_path: Path) -> None:
    pd.read_parquet(write_parquet(tmp_path)).drop(columns="label").to_parquet(tmp_path / "train.parquet")
    assert complaint(tmp_path / "train.parquet").startswith("no column 'label'")


def test_a_truncated_parquet_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path).read_bytes()
    for length in (1, 4, len(whole) // 2, len(whole) - 1):
        (tmp_path / "train.parquet").write_bytes(whole[:length])
        assert "is not a complete Parquet file" in complaint(tmp_path / "train.parquet")


def test_other_bytes_called_parquet_are_refused(refusal: Refusal) -> None:
    assert "is not a complete Parquet file" in refusal(b"\x00\x01\x02", "train.parquet")


def test_parquet_is_recognised_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:]).assign(label=LABELS).to_parquet(tmp_path / "train.csv")
    assert_is_the_sample(str(tmp_path / "train.csv"))
