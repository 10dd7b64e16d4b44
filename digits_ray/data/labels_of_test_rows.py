"""The labels of test rows: they score the ensemble once, at the end, and choose nothing."""

from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.labels import Class, index_labels

_SHOWN = 5  # unknown labels in a note


def labels_of_test_rows(name: str, texts: Any, classes: tuple[Class, ...]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Numbers the labels of test rows by the classes of the training rows.

    Args:
        name: Of the test rows, for the notes.
        texts: (test_rows,) pyarrow array of strings, null where a row has no label; None where no row has.
        classes: Of the training rows.

    Returns:
        (test_rows,) int32 index into the classes, -1 where a row has no label or that of no class, or None where no row
        has one; and notes.
    """
    if texts is None:
        return None, ()
    labels = index_labels(texts, classes)
    known, unknown = bool((labels >= 0).any()), texts.filter(pa.array(labels < 0)).drop_null()
    notes = []
    if known:
        missing = f"; {_rows(texts.null_count, 'has', 'have')} none" if texts.null_count else ""
        notes.append(f"{name}: its labels score the ensemble once, at the end, and choose nothing{missing}")
    if len(unknown):
        rows = _rows(len(unknown), "is", "are")
        notes.append(f"{name}: {rows} not scored, with labels that no training row has: {_listed(unknown)}")
    return labels if known else None, tuple(notes)


def _rows(count: int, verb: str, verb_of_several: str) -> str:
    return f"1 row {verb}" if count == 1 else f"{count:,} rows {verb_of_several}"


def _listed(texts: Any) -> str:
    names = texts.unique().to_pylist()
    return ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
