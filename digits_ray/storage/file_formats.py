"""JSON, CSV, arrays and predictions as the bytes of a file, and back; a damaged file reads as None."""

import csv
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO, StringIO
from typing import Any

import numpy as np

from digits_ray.ensemble import Prediction


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """Returns a JSON file that people can read."""
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_json(data: bytes) -> dict[str, Any] | None:
    """Returns what a JSON file holds, or None when it is damaged."""
    try:
        return json.loads(data)
    except ValueError:
        return None


def parse_csv(data: bytes) -> list[dict[str, str]]:
    """Returns the lines of a CSV file, by the names of its columns."""
    return list(csv.DictReader(StringIO(data.decode())))


def history_bytes(history: list[dict[str, float]]) -> bytes:
    """Returns a member's history as CSV: a line an epoch, from 1."""
    text = StringIO()
    table = csv.DictWriter(text, ["epoch", *history[0]], lineterminator="\n")
    table.writeheader()
    table.writerows({"epoch": epoch, **entry} for epoch, entry in enumerate(history, start=1))
    return text.getvalue().encode()


def prediction_bytes(prediction: Prediction) -> bytes:
    """Returns a prediction as .npz."""
    file = BytesIO()
    np.savez(file, **{**asdict(prediction), "model_id": np.array(prediction.model_id)})
    return file.getvalue()


def parse_arrays(data: bytes) -> dict[str, np.ndarray] | None:
    """Returns the arrays of an .npz file, or None when it is damaged."""
    try:
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def parse_prediction(data: bytes) -> Prediction | None:
    """Returns a prediction from its .npz file, or None when it is damaged."""
    arrays = parse_arrays(data)
    if not arrays or "model_id" not in arrays:
        return None
    return Prediction(**{**arrays, "model_id": str(arrays["model_id"])})  # type: ignore[arg-type]


def is_intact_archive(data: bytes) -> bool:
    """Returns whether an .npz file or .keras archive is complete and every checksum in it is right."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def is_intact_text(data: bytes) -> bool:
    """Returns whether a .json or .csv file was not cut short: the last line of each that is written here ends."""
    return data.endswith(b"\n")
