"""Kaggle's submission file: `ImageId,Label`, one line for each row of the test file."""

import csv
import io
from collections.abc import Sequence

import numpy as np


def to_csv(row_ids: np.ndarray, labels: Sequence[str | int] | np.ndarray, test_rows: int) -> bytes:
    """Writes the predicted classes in the test file's order.

    Args:
        row_ids: (test_rows,) position in the test file, from 0; in any order.
        labels: (test_rows,) predicted class of each row id, as the training file has it.
        test_rows: Rows of the test file.

    Returns:
        CSV text in UTF-8 with LF line ends; ids count from 1. The same input gives the same bytes.

    Raises:
        ValueError: The ids are not those of the test rows, each once. A fault of ours; nothing is written.
    """
    row_ids = np.asarray(row_ids)
    _check_ids(row_ids, len(labels), test_rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ImageId", "Label"])
    writer.writerows((position + 1, labels[row]) for position, row in enumerate(row_ids.argsort().tolist()))
    return text.getvalue().encode("utf-8")


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
