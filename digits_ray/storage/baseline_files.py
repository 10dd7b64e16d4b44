"""A baseline's files in the run directory."""

from collections.abc import Mapping
from typing import Any

from digits_ray.ensemble import Prediction
from digits_ray.storage import layout
from digits_ray.storage.file_formats import json_bytes, parse_csv, parse_json, parse_prediction, prediction_bytes
from digits_ray.storage.store import Store


class BaselineFiles:
    """The files of one baseline; what is missing or damaged reads as None."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store, self._kind = store, kind

    def result(self) -> dict[str, Any] | None:
        """Returns result.json, which is written last."""
        return self._read_json(layout.baseline_file(self._kind, layout.RESULT))

    def prediction(self) -> Prediction | None:
        """Returns the predictions of the finished baseline."""
        data = self._store.read_or_none(layout.baseline_file(self._kind, layout.PREDICTIONS))
        return parse_prediction(data) if data is not None else None

    def trials(self) -> list[dict[str, str]]:
        """Returns the lines of trials.csv, the winner first; none where there is no such file."""
        data = self._store.read_or_none(layout.baseline_file(self._kind, layout.TRIALS))
        return parse_csv(data) if data is not None else []

    def write(self, result: Mapping[str, Any], trials_csv: str, prediction: Prediction) -> None:
        """Writes a finished baseline's files, result.json last, and deletes the trials of its unfinished search."""
        self._store.write(layout.baseline_file(self._kind, layout.TRIALS), trials_csv.encode())
        self._store.write(layout.baseline_file(self._kind, layout.PREDICTIONS), prediction_bytes(prediction))
        self._store.write(layout.baseline_file(self._kind, layout.RESULT), json_bytes(result))
        self._store.delete_folder(layout.trials_folder(self._kind))

    def read_trial(self, key: str) -> dict[str, Any] | None:
        """Returns a finished trial of an unfinished search, by its hash."""
        return self._read_json(layout.trial_file(self._kind, key))

    def write_trial(self, key: str, values: Mapping[str, Any]) -> None:
        """Writes a finished trial of an unfinished search, by its hash."""
        self._store.write(layout.trial_file(self._kind, key), json_bytes(values))

    def _read_json(self, name: str) -> dict[str, Any] | None:
        data = self._store.read_or_none(name)
        return parse_json(data) if data is not None else None
