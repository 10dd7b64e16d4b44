"""Labels as any format has them, spelled the same in all, and turned into classes and an index per row."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from digits_ray.errors import UserError

Class = str | int

# "01" and "+1" are no canonical integers and stay text; 18 digits always fit an int64.
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
# 7, 7.0 and 7.000e+00, as pandas, spreadsheets and NumPy write them, which also write nan and inf; "1e5" without a sign
# may be a code, and is text.
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-][0-9]{1,3})?|(?i:nan|inf))")
_MISSING = re.compile(r"(?i:<?na>?|#?n/a|null)")  # as R, pandas, spreadsheets and databases write it
_EXACT_FLOATS = 2**53  # every whole number up to here is exact in float64
_EXACT_DIGITS = 16  # of 2⁵³


def encode_labels(texts: Any) -> tuple[np.ndarray, tuple[Class, ...]]:
    """Numbers the classes in sorted order.

    Args:
        texts: (rows,) pyarrow array of strings, none missing, as `checked_texts` returns them.

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


def index_labels(texts: Any, classes: tuple[Class, ...]) -> np.ndarray:
    """Numbers labels by the classes of another file.

    Args:
        texts: (rows,) pyarrow array of strings, null where a row has no label.
        classes: As `encode_labels` gave them.

    Returns:
        (rows,) int32 index into the classes; -1 where a row has no label, or one that is no class.
    """
    index = {str(name): number for number, name in enumerate(classes)}
    encoded = texts.dictionary_encode()
    of_code = np.array([*(index.get(text, -1) for text in encoded.dictionary.to_pylist()), -1], np.int32)
    return of_code[encoded.indices.fill_null(len(of_code) - 1).to_numpy()]


def labels_to_score(path: str, column: str, values: Any) -> tuple[Any, tuple[str, ...]]:
    """Returns labels that train nothing: a row may lack its own, and without any the images are as good.

    Args:
        path: For messages.
        column: For messages.
        values: As for `checked_texts`.

    Returns:
        (rows,) pyarrow array of strings, null where a row has no label, and no note; or None, and a note that says why.
    """
    return unless_refused(path, lambda: texts_where_present(path, column, values))


def unless_refused(path: str, read: Callable[[], Any]) -> tuple[Any, tuple[str, ...]]:
    """Returns the labels that `read` gives, and no note; or None, and a note that says why they cannot be read."""
    try:
        return read(), ()
    except UserError as error:
        return None, (f"its labels are not used: {str(error).removeprefix(f'{path}: ')}",)


def texts_where_present(path: str, column: str, values: Any) -> Any:
    """Returns what `checked_texts` does, but null where a label is missing. Arguments and errors are alike."""
    texts = _as_texts(path, column, values, "label")
    blank = pa.array(_is_blank(texts))
    present = texts.filter(pc.invert(blank))
    if not len(present):
        return pa.nulls(len(texts), pa.string())
    checked = checked_texts(path, column, pc.if_else(blank, present[0], texts))
    return pc.if_else(blank, pa.scalar(None, pa.string()), checked)


def checked_texts(path: str, column: str, values: Any, what: str = "label") -> Any:
    """Returns labels or ids of any format as text, so that the same table gives the same text in every format.

    White space around text goes. Whole numbers lose what a program added to them: 7.0, 7.000e+00 and the decimal 7.00
    are 7. "07" stays text. As in pandas' CSV, true and false are True and False.

    Args:
        path: For messages.
        column: For messages: "column label" or "array 'labels'".
        values: (rows,) pyarrow array of integers, whole floats or decimals, booleans, text, or UTF-8 bytes.
        what: For messages: "label" or "id".

    Returns:
        (rows,) pyarrow array of strings, none missing or blank.

    Raises:
        UserError: Naming the row at fault.
    """
    texts = _as_texts(path, column, values, what)
    blank = first_blank(texts)
    if blank is not None:
        raise UserError(f"{path}: row {blank + 1}, {column}: the {what} is empty. Fill it in or drop the row.")
    encoded = texts.dictionary_encode()
    distinct = [text.strip() for text in encoded.dictionary.to_pylist()]
    _refuse_missing_among_numbers(path, column, encoded, distinct, what)
    fractions = [code for code, text in enumerate(distinct) if _NUMBER.fullmatch(text) and _whole(text) is None]
    if fractions and all(map(_NUMBER.fullmatch, distinct)):
        row = int(np.isin(encoded.indices.to_numpy(), fractions).argmax())
        raise _no_label(path, column, row, distinct[encoded.indices[row].as_py()], what)
    if not fractions:  # versions, 1.0 beside 1.1 beside 1.1a, are text
        distinct = [_whole(text) or text for text in distinct]
    return pa.array(distinct, pa.string()).take(encoded.indices)


def _refuse_missing_among_numbers(path: str, column: str, encoded: Any, distinct: list[str], what: str) -> None:
    """Raises UserError where NA stands among whole numbers, all of which it would turn into text; else it is text."""
    missing = [code for code, text in enumerate(distinct) if _MISSING.fullmatch(text)]
    others = [text for text in distinct if not _MISSING.fullmatch(text)]
    if missing and any(map(_whole, others)) and all(map(_NUMBER.fullmatch, others)):
        row = int(np.isin(encoded.indices.to_numpy(), missing).argmax())
        text = distinct[encoded.indices[row].as_py()]
        raise UserError(f"{path}: row {row + 1}, {column}: the {what} is missing ({text}). Fill it in or drop the row.")


def first_blank(texts: Any) -> int | None:
    """Returns the position of the first text that is missing or only white space; None when there is none."""
    is_blank = _is_blank(texts)
    return int(is_blank.argmax()) if is_blank.any() else None


def _is_blank(texts: Any) -> np.ndarray:
    """Returns which texts are missing or only white space, (rows,) bool."""
    encoded = texts.fill_null("").dictionary_encode()
    blank = [code for code, text in enumerate(encoded.dictionary.to_pylist()) if not text.strip()]
    return np.isin(encoded.indices.to_numpy(), blank)


def _whole(text: str) -> str | None:
    """Returns the shortest spelling of a text that is a whole number; None when it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("-").isdecimal():
        return "0" if text == "-0" else text
    number = Decimal(text)
    if number.adjusted() >= _EXACT_DIGITS or number != number.to_integral_value() or abs(number) > _EXACT_FLOATS:
        return None
    return str(int(number))


def _as_texts(path: str, column: str, values: Any, what: str) -> Any:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):  # pandas turns integers into floats as soon as one is missing
        return _whole_floats(path, column, values, what).cast(pa.string())
    if pa.types.is_boolean(values.type):
        return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    if not _is_textual(values.type):
        raise UserError(f"{path}: {column} is of type {values.type}. Write {what}s as whole numbers or text.")
    try:
        texts = values.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raise UserError(f"{path}: {column} holds text that is not UTF-8. Write it again in UTF-8.") from None
    return texts


def _is_textual(kind: Any) -> bool:
    """Whether pyarrow casts the type to text as people would write it."""
    types = pa.types
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    data = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return text or data or types.is_integer(kind) or types.is_decimal(kind)


def _whole_floats(path: str, column: str, values: Any, what: str) -> Any:
    """Returns floats as int64; none of them may have a fraction."""
    floats = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    bad = ~((floats == np.floor(floats)) & (np.abs(floats) <= _EXACT_FLOATS))
    if bad.any():
        row = int(bad.argmax())
        raise _no_label(path, column, row, str(floats[row]), what)
    return pa.array(floats.astype(np.int64), mask=values.is_null().to_numpy(zero_copy_only=False))


def _no_label(path: str, column: str, row: int, text: str, what: str) -> UserError:
    return UserError(f"{path}: row {row + 1}, {column}: {text} is no {what}. Write whole numbers or text.")


def _as_integers(texts: list[str]) -> list[Any]:
    """All of them as integers, or all of them as they were."""
    if all(_CANONICAL_INTEGER.fullmatch(text) for text in texts):
        return [int(text) for text in texts]
    return texts
