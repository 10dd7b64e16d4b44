"""Labels of files, turned into classes."""

from pathlib import Path

import pytest
from image_files import csv_text, written

from digits_ray.data import read_images
from digits_ray.errors import UserError


def classes_of(tmp_path: Path, labels: list[str]) -> tuple:
    return read_images(written(tmp_path / "train.csv", csv_text(labels)), labelled=True).classes


def test_integer_labels_are_sorted_by_value(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["10", "9", "-1"]) == (-1, 9, 10)


def test_labels_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["01", "2", "10"]) == ("01", "10", "2")


def test_one_word_among_numbers_makes_all_labels_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["7", "cat", "10"]) == ("10", "7", "cat")


def test_words_that_mean_missing_elsewhere_are_labels(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["NA", "null", "nan"]) == ("NA", "nan", "null")


@pytest.mark.parametrize("text", ["nan", "NaN", "-inf"])
def test_what_numpy_writes_for_no_number_is_no_label_among_numbers(tmp_path: Path, text: str) -> None:
    """As in npz and Parquet, which hold the number itself."""
    with pytest.raises(UserError, match=f"row 2, column label: {text} is no label"):
        classes_of(tmp_path, ["1", text, "2.0"])


@pytest.mark.parametrize("text", ["NA", "<NA>", "n/a", "#N/A", "NULL"])
def test_a_mark_for_missing_values_is_no_label_among_numbers(tmp_path: Path, text: str) -> None:
    """It would turn all of them into text, with a class more."""
    with pytest.raises(UserError, match=rf"row 2, column label: the label is missing \({text}\). Fill it in"):
        classes_of(tmp_path, ["1", text, "2.0"])
    assert classes_of(tmp_path, ["1", "none", "2"]) == ("1", "2", "none")  # no digit at all is a class


def test_labels_with_commas_quotes_and_line_ends_are_kept(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ['"a,b"', '"a""b"', '"a\nb"']) == ("a\nb", 'a"b', "a,b")


def test_an_integer_too_long_for_a_computer_word_stays_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["1", "2", "9" * 5000]) == ("1", "2", "9" * 5000)
