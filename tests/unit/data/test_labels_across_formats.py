"""The same table gives the same classes in every format, whatever a program did to the spelling of its labels."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from image_files import complaint, written

from digits_ray.data import read_images

ROWS = 6
PIXELS = pd.DataFrame(np.arange(ROWS * 4, dtype=np.uint8).reshape(ROWS, 4), columns=[f"pixel{i}" for i in range(4)])

NUMBERS = [7, 3, 7, 24, 0, -1]
SPELLINGS: dict[str, list] = {
    "whole": NUMBERS,
    "text": [str(number) for number in NUMBERS],
    "floats": [float(number) for number in NUMBERS],
    "float text": [f"{number}.0" for number in NUMBERS],
    "a point and nothing": [f"{number}." for number in NUMBERS],
    "as numpy.savetxt writes": [f"{number:.18e}" for number in NUMBERS],
    "as spreadsheets write": [f"{number:.2E}" for number in NUMBERS],
    "blanks before": [f"  {number}" for number in NUMBERS],
    "blanks behind": [f"{number}\t " for number in NUMBERS],
    "a no-break space": [f"{number}\xa0" for number in NUMBERS],
    "mixed": ["7", " 7.0", "7.00", "24", "0", "-1.0"],
}


def as_csv(folder: Path, labels: list) -> Path:
    PIXELS.assign(label=labels).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def as_arrow_csv(folder: Path, labels: list) -> Path:
    """Every text quoted, which pandas does not do."""
    pyarrow.csv.write_csv(pa.Table.from_pandas(PIXELS.assign(label=labels)), folder / "arrow.csv")
    return folder / "arrow.csv"


def as_spreadsheet_csv(folder: Path, labels: list) -> Path:
    text = PIXELS.assign(label=labels).to_csv(index=False, lineterminator="\r\n")
    (folder / "sheet.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    return folder / "sheet.csv"


def as_parquet(folder: Path, labels: list) -> Path:
    PIXELS.assign(label=labels).to_parquet(folder / "t.parquet", index=False)
    return folder / "t.parquet"


def as_categorical_parquet(folder: Path, labels: list) -> Path:
    PIXELS.assign(label=pd.Categorical(labels)).to_parquet(folder / "categorical.parquet", index=False)
    return folder / "categorical.parquet"


def as_npz(folder: Path, labels: list) -> Path:
    np.savez(folder / "t.npz", images=PIXELS.to_numpy().reshape(-1, 2, 2), labels=np.array(labels))
    return folder / "t.npz"


def as_bytes_npz(folder: Path, labels: list) -> Path:
    encoded = np.array([str(label).encode() for label in labels])
    np.savez(folder / "bytes.npz", images=PIXELS.to_numpy().reshape(-1, 2, 2), labels=encoded)
    return folder / "bytes.npz"


WRITERS = [as_csv, as_arrow_csv, as_spreadsheet_csv, as_parquet, as_categorical_parquet, as_npz, as_bytes_npz]


def labels_of(path: Path) -> list:
    file = read_images(path, labelled=True)
    return [file.classes[label] for label in file.labels]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_whole_numbers_are_the_same_however_they_are_spelled(
    tmp_path: Path, write: Callable[[Path, list], Path], spelling: str
) -> None:
    expected = [7, 7, 7, 24, 0, -1] if spelling == "mixed" else NUMBERS
    assert labels_of(write(tmp_path, SPELLINGS[spelling])) == expected


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["cat", " cat", "dog ", "dog", "cat", "dog"], ["cat", "cat", "dog", "dog", "cat", "dog"]),
        (["07", "7", "08", "7.0", "7", "8"], ["07", "7", "08", "7", "7", "8"]),
        (["7", "7.0", "x", "x ", "7", "7"], ["7", "7", "x", "x", "7", "7"]),
        (["1e5", "2e5", "a4f", "1e5", "a4f", "2e5"], ["1e5", "2e5", "a4f", "1e5", "a4f", "2e5"]),
        (["1.0", "1.1", "1.1b", "1.0", "1.1", "1.1b"], ["1.0", "1.1", "1.1b", "1.0", "1.1", "1.1b"]),
        (["-0.0", "0", "1", "1", "0.0", "-0"], [0, 0, 1, 1, 0, 0]),
        (["a,b", 'say "a"', "ü", "a,b", "ü", "日本"], ["a,b", 'say "a"', "ü", "a,b", "ü", "日本"]),
        ([True, False, True, True, False, False], ["True", "False", "True", "True", "False", "False"]),
    ],
    ids=["blanks", "leading zeros", "numbers and words", "codes", "versions", "zero", "quoting", "booleans"],
)
def test_text_is_the_same_in_every_format(
    tmp_path: Path, write: Callable[[Path, list], Path], labels: list, expected: list
) -> None:
    found = labels_of(write(tmp_path, labels))
    assert [str(label).capitalize() for label in found] == [str(label).capitalize() for label in expected]
    if write is not as_arrow_csv:  # pyarrow itself writes true for True
        assert found == expected


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("as_text", [False, True])
def test_numbers_with_fractions_are_refused_in_every_format(
    tmp_path: Path, write: Callable[[Path, list], Path], as_text: bool
) -> None:
    labels = [1.0, 2.5, 3.0, 1.0, 2.0, 3.0]
    path = write(tmp_path, [str(label) for label in labels] if as_text else labels)
    assert "2.5 is no label" in complaint(path)
    assert "row 2" in complaint(path)


@pytest.mark.parametrize(
    "column",
    [
        pd.array(NUMBERS, dtype="Int64"),
        pd.array(NUMBERS, dtype="Int8"),
        pd.array([float(number) for number in NUMBERS], dtype="Float64"),
        pd.array([str(number) for number in NUMBERS], dtype="string"),
        pd.Categorical([float(number) for number in NUMBERS]),
        np.array(NUMBERS, np.float32),
        [Decimal(f"{number}.00") for number in NUMBERS],
        [str(number).encode() for number in NUMBERS],
    ],
    ids=["Int64", "Int8", "Float64", "string", "categorical floats", "float32", "decimal", "bytes"],
)
def test_parquet_columns_of_any_type_give_the_same_numbers(tmp_path: Path, column: object) -> None:
    PIXELS.assign(label=column).to_parquet(tmp_path / "t.parquet", index=False)
    assert labels_of(tmp_path / "t.parquet") == NUMBERS


@pytest.mark.parametrize("kind", ["<f2", ">f4", ">i8", "i1", "<U9", "S9", "f8"])
@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_arrays_of_any_type_and_a_column_of_them_give_the_same_numbers(
    tmp_path: Path, kind: str, shape: tuple[int, ...]
) -> None:
    labels = np.array(NUMBERS).astype(kind).reshape(shape)
    np.savez(tmp_path / "t.npz", images=PIXELS.to_numpy().reshape(-1, 2, 2), labels=labels)
    assert labels_of(tmp_path / "t.npz") == NUMBERS


def test_a_missing_label_is_refused_in_every_format(tmp_path: Path) -> None:
    for write in (as_csv, as_parquet):
        assert "row 3, column label: the label is empty" in complaint(write(tmp_path, [1, 2, None, 1, 2, 3])).replace(
            " (line 4)", ""
        )
    assert "row 3, array 'labels': nan is no label" in complaint(as_npz(tmp_path, [1, 2, np.nan, 1, 2, 3]))


def test_a_number_too_long_to_be_exact_is_never_rounded(tmp_path: Path) -> None:
    exact = [2**53 - 1, 2**53 - 2, 1, 2, 3, 4]
    assert labels_of(as_csv(tmp_path, exact)) == labels_of(as_parquet(tmp_path, exact)) == exact
    assert "is no label" in complaint(written(tmp_path / "e.csv", "label,pixel0\n1.5E+300,1\n2,2\n"))
