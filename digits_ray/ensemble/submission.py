"""The submission file: `ImageId,Label` or as the test file names its ids, one line for each row of the test file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

ID_COLUMN = "ImageId"  # as Kaggle has it, counting rows from 1
LABEL_COLUMN = "Label"


def to_csv(
    row_ids: np.ndarray,
    labels: Sequence[str | int] | np.ndarray,
    test_rows: int,
    *,
    ids: Sequence[str] | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
    more_columns: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Writes the predicted classes in the test file's order.

    Args:
        row_ids: (test_rows,) position in the test file, from 0; in any order.
        labels: (test_rows,) predicted class of each row id, as the training file has it.
        test_rows: Rows of the test file.
        ids: (test_rows,) what the test file calls its rows; without them, numbers from 1.
        id_column: Its name; ImageId without.
        label_column: The labels' name; Label without.
        more_columns: What is to be written behind the labels, (test_rows,) each, by name; a name that the ids or labels
            have gets an underscore more.

    Returns:
        CSV text in UTF-8 with LF line ends. The same input gives the same bytes.

    Raises:
        ValueError: The ids are not those of the test rows, each once. A fault of ours; nothing is written.
    """
    row_ids = np.asarray(row_ids)
    _check_ids(row_ids, len(labels), test_rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head, more = [id_column or ID_COLUMN, label_column or LABEL_COLUMN], more_columns or {}
    writer.writerow([*head, *(_free_name(name, [*head, *more]) if name in head else name for name in more)])
    names = range(1, test_rows + 1) if ids is None else ids
    for name, row in zip(names, row_ids.argsort().tolist(), strict=True):
        writer.writerow([name, labels[row], *(column[row] for column in more.values())])
    return text.getvalue().encode("utf-8")


def _free_name(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _check_ids(row_ids: np.ndarray, label_rows: int, test_rows: int) -> None:
    if row_ids.shape != (label_rows,):
        raise ValueError(f"{label_rows} labels for row ids of shape {row_ids.shape}")
    if row_ids.dtype.kind not in "iu" and row_ids.size:
        raise ValueError(f"row ids are {row_ids.dtype}, not integers")
    repeated = label_rows - len(np.unique(row_ids))
    missing = np.setdiff1d(np.arange(test_rows), row_ids)
    foreign = np.setdiff1d(row_ids, np.arange(test_rows))
    if repeated or missing.size or foreign.size:
        raise ValueError(
            f"row ids do not match {test_rows} test rows: {repeated} repeated, {missing.size} missing "
            f"(first {missing[:1].tolist()}), {foreign.size} foreign (first {foreign[:1].tolist()})"
        )
