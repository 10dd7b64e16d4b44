"""Labels as the file has them, turned into classes and an index per row."""

import re
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.errors import UserError

Class = str | int

# "01", "+1" and "-0" are no canonical integers and stay text; 18 digits always fit an int64.
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_EXACT_FLOATS = 2.0**53  # every whole number up to here is exact in float64


def encode_labels(texts: Any) -> tuple[np.ndarray, tuple[Class, ...]]:
    """Numbers the classes in sorted order.

    Args:
        texts: (rows,) pyarrow array of strings, none missing.

    Returns:
        (rows,) int32 index into classes; and the classes: integers sorted by value when every label is a
        canonical integer, strings sorted by code point otherwise.
    """
    encoded = texts.dictionary_encode()
    distinct = _as_integers(encoded.dictionary.to_pylist())
    order = sorted(range(len(distinct)), key=lambda code: distinct[code])
    index_of_code = np.empty(len(distinct), np.int32)
    index_of_code[order] = np.arange(len(distinct))
    return index_of_code[encoded.indices.to_numpy()], tuple(distinct[code] for code in order)


def checked_texts(path: str, column: str, labels: Any) -> Any:
    """Labels of a typed file as a pyarrow array of strings, none of them blank.

    Args:
        path: For messages.
        column: For messages: "column label" or "array 'labels'".
        labels: (rows,) pyarrow array of integers, strings or whole floats.

    Raises:
        UserError: Naming the row at fault.
    """
    texts = _as_texts(path, column, labels)
    blank = first_blank(texts)
    if blank is not None:
        raise UserError(f"{path}: row {blank + 1}, {column}: the label is empty. Fill it in or drop the row.")
    return texts


def first_blank(texts: Any) -> int | None:
    """Returns the position of the first label that is missing or only white space; None when there is none."""
    encoded = texts.fill_null("").dictionary_encode()
    blank = [code for code, text in enumerate(encoded.dictionary.to_pylist()) if not text.strip()]
    is_blank = np.isin(encoded.indices.to_numpy(), blank)
    return int(is_blank.argmax()) if is_blank.any() else None


def _as_texts(path: str, column: str, labels: Any) -> Any:
    if pa.types.is_dictionary(labels.type):
        labels = labels.dictionary_decode()
    if pa.types.is_floating(labels.type):  # pandas turns integers into floats as soon as one is missing
        _refuse_fraction(path, column, labels)
        labels = labels.cast(pa.int64())
    kind = labels.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{path}: {column} is of type {kind}. Write labels as whole numbers or text.")
    texts = labels.cast(pa.string())
    _refuse_broken_text(path, column, texts)
    return texts


def _refuse_fraction(path: str, column: str, labels: Any) -> None:
    values = labels.fill_null(0).to_numpy()
    bad = ~((values == np.floor(values)) & (np.abs(values) <= _EXACT_FLOATS))
    if bad.any():
        row = int(bad.argmax())
        raise UserError(f"{path}: row {row + 1}, {column}: {values[row]} is no label. Write whole numbers or text.")


def _refuse_broken_text(path: str, column: str, texts: Any) -> None:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raise UserError(f"{path}: {column} holds text that is not UTF-8. Write it again in UTF-8.") from None


def _as_integers(texts: list[str]) -> list[Any]:
    """All of them as integers, or all of them as they were."""
    if all(_CANONICAL_INTEGER.fullmatch(text) for text in texts):
        return [int(text) for text in texts]
    return texts
