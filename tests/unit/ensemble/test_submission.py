"""The file that goes to Kaggle."""

import csv
import io

import numpy as np
import pytest

from digits_ray.ensemble.submission import to_csv


def test_a_submission_has_one_line_for_each_test_row_with_ids_from_one() -> None:
    assert to_csv(np.arange(3), [7, 0, 3], 3) == b"ImageId,Label\n1,7\n2,0\n3,3\n"


def test_rows_are_put_into_the_test_files_order() -> None:
    assert to_csv(np.array([2, 0, 1]), np.array([30, 10, 20]), 3) == b"ImageId,Label\n1,10\n2,20\n3,30\n"


def test_labels_that_need_quotes_are_quoted_and_come_back_as_they_were() -> None:
    labels = ["a,b", 'say "x"', "line\nend", "é", "01"]
    text = to_csv(np.arange(5), labels, 5).decode("utf-8")
    assert [row[1] for row in csv.reader(io.StringIO(text, newline=""))][1:] == labels


def test_line_ends_are_line_feeds_only() -> None:
    assert b"\r" not in to_csv(np.arange(2), [1, 2], 2)


def test_without_test_rows_only_the_header_is_written() -> None:
    assert to_csv(np.array([], np.int64), [], 0) == b"ImageId,Label\n"


@pytest.mark.parametrize(
    ("row_ids", "labels", "words"),
    [
        ([0, 1], [1, 2], "1 missing"),
        ([0, 1, 1], [1, 2, 3], "1 repeated"),
        ([0, 1, 3], [1, 2, 3], "1 foreign"),
        ([0, 1, -1], [1, 2, 3], "1 foreign"),
        ([0, 1, 2, 2], [1, 2, 3, 4], "1 repeated"),
        ([0, 1, 2], [1, 2], "2 labels for row ids of shape"),
        ([0.0, 1.0, 2.0], [1, 2, 3], "not integers"),
    ],
)
def test_ids_that_do_not_match_the_test_rows_are_refused(row_ids: list, labels: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_csv(np.array(row_ids), labels, 3)


def test_ids_of_the_test_file_are_written_under_their_own_name() -> None:
    table = to_csv(np.array([2, 0, 1]), [30, 10, 20], 3, ids=["a", "b", "c"], id_column="sheet")
    assert table == b"sheet,Label\na,10\nb,20\nc,30\n"


def test_the_names_of_both_columns_can_be_chosen() -> None:
    table = to_csv(np.arange(1), [7], 1, id_column="id", label_column="digit")
    assert table == b"id,digit\n1,7\n"


def test_ids_that_are_not_as_many_as_the_rows_are_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="argument"):
        to_csv(np.arange(2), [7, 8], 2, ids=["a"])
