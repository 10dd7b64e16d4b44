"""A bad CSV file is refused in one line that names the row, its line, the column and the cure."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from image_files import (
    GOOD_CSV,
    HEADER,
    Refusal,
    complaint,
)


def test_a_truncated_gzip_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    lines = "".join(f"{i % 10},{i % 256},1,2,3\n" for i in range(5000))
    whole = gzip.compress(f"{HEADER}\n{lines}".encode())
    for length in (3, 12, len(whole) // 2, len(whole) - 9, len(whole) - 8, len(whole) - 1):
        (tmp_path / "train.csv.gz").write_bytes(whole[:length])
        assert complaint(tmp_path / "train.csv.gz").startswith("the gzip file is cut off")


def test_a_damaged_gzip_file_is_refused(refusal: Refusal) -> None:
    whole = bytearray(gzip.compress(GOOD_CSV.encode()))
    whole[-6] ^= 1  # the checksum
    assert "damaged" in refusal(bytes(whole), "train.csv.gz")
    whole[12] ^= 0xFF  # the compressed text
    assert "damaged" in refusal(bytes(whole), "train.csv.gz")


def test_text_that_is_not_utf_8_is_refused_with_its_line(refusal: Refusal) -> None:
    assert refusal(GOOD_CSV.replace("\n3,", "\né,").encode("latin-1")).startswith("line 3 is no UTF-8 text")
    assert refusal(GOOD_CSV.encode("utf-16")[:-1]).startswith("is no valid UTF-16-LE. Save the file as CSV in UTF-8.")
    assert refusal(GOOD_CSV.replace("\n3,", "\n\0,")).startswith("line 3 is no text: it holds a zero byte.")


def test_random_bytes_are_refused(refusal: Refusal) -> None:
    for seed in range(20):
        for name in ("train.csv", "train.csv.gz", "train.parquet", "train.npz"):
            refusal(np.random.default_rng(seed).bytes(2000), name)


def test_a_header_without_rows_is_refused(refusal: Refusal) -> None:
    assert refusal(HEADER).startswith("holds no rows")
    assert refusal(f"{HEADER}\n\n").startswith("holds no rows")


def test_an_empty_first_line_is_refused(refusal: Refusal) -> None:
    assert refusal("\n" + GOOD_CSV).startswith("line 1 is empty")


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# made by hand", "# made by hand"),
        ("sep=,", "sep="),
        ("Digits,,,", "Digits"),
        ('"Digits, 2024"', "Digits, 2024"),
    ],
)
def test_a_line_above_the_header_is_refused_as_what_it_is(refusal: Refusal, line: str, title: str) -> None:
    assert refusal(f"{line}\n{GOOD_CSV}").startswith(f"line 1 is '{title}' alone, above 5 columns. Begin the file with")


def test_training_without_labels_is_refused(refusal: Refusal) -> None:
    assert refusal("pixel0\n1\n").startswith("no column 'label'")


def test_a_wrong_column_is_refused_by_position_and_expected_name(refusal: Refusal) -> None:
    assert refusal("label,pixel0,pixel1,pixel2,pixel4\n1,2,3,4,5\n").startswith(
        "column 5 is 'pixel4' where 'pixel3' is expected"
    )


def test_pixels_out_of_order_are_refused(refusal: Refusal) -> None:
    found = refusal("label,pixel0,pixel2,pixel1,pixel3\n1,2,3,4,5\n")
    assert found.startswith("column 3 is 'pixel2' where 'pixel1' is expected")


def test_a_duplicate_column_is_refused(refusal: Refusal) -> None:
    found = refusal("label,pixel0,pixel1,pixel1,pixel3\n1,2,3,4,5\n")
    assert found.startswith("column 4 is 'pixel1' for the second time")
    assert "'label' for the second time" in refusal("label,label,pixel0\n1,2,3\n")


@pytest.mark.parametrize("separator", [";", "\t", "|", " "])
def test_other_separators_than_commas_are_refused(refusal: Refusal, separator: str) -> None:
    assert "with commas" in refusal(GOOD_CSV.replace(",", separator))


def test_a_table_without_pixels_is_told_so_and_not_to_leave_columns_out(refusal: Refusal) -> None:
    assert refusal("label\n1\n").startswith("no columns of pixels, but 'label'. Write one for each pixel")
    assert refusal("file,label\n1.png,3\n").startswith("no columns of pixels, but 'file', 'label'")
    assert refusal("emotion,pixels,Usage\n0,70 80,Training\n").startswith("no columns of pixels, but 'emotion'")


def test_a_number_of_pixels_that_is_no_square_is_refused(refusal: Refusal) -> None:
    assert refusal("label,pixel0,pixel1\n1,2,3\n").startswith("2 pixels an image make no square")


def test_a_header_with_an_open_quote_is_refused(refusal: Refusal) -> None:
    assert refusal('"label,pixel0\n1,2\n').startswith("line 1 is no header")


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
        ("0.5", "'0.5' is not whole, but other pixels are above 1"),
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
    assert refusal(GOOD_CSV[:-6]).startswith("row 3 (line 4): 4 cells"), "a file cut off in its last row"


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
