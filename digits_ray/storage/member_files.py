"""A finished member's files in the run directory."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from digits_ray.config import MemberSpec, member_identity
from digits_ray.ensemble import MemberResult, Prediction
from digits_ray.errors import UserError
from digits_ray.storage import layout
from digits_ray.storage.file_formats import (
    history_bytes,
    is_intact_archive,
    json_bytes,
    parse_csv,
    parse_json,
    parse_prediction,
    prediction_bytes,
)
from digits_ray.storage.store import Store

_RESULT_FACTS = ("attempts", "fit_seconds", "images_per_second", "precision", "device", "start_epoch", "notes")


class MemberFiles:
    """The files of all members of a run, or of all their refits."""

    def __init__(self, store: Store, *, refit: bool = False) -> None:
        self._store, self._refit = store, refit

    def result(self, spec: MemberSpec) -> dict[str, Any] | None:
        """Returns a finished member's result.json, or None when the member (as this spec has it) is not finished."""
        data = self._store.read_or_none(self._name(spec.member_id, layout.RESULT))
        result = parse_json(data) if data is not None else None
        return result if result and result.get("spec_hash") == spec_hash(spec) else None

    def load_finished(self, spec: MemberSpec) -> tuple[dict[str, Any], Prediction] | None:
        """Returns a finished member's result.json and predictions, or None when it has to be trained.

        Power lost at a bad moment can leave damaged predictions beside an intact result.json.
        """
        result = self.result(spec)
        prediction = self._prediction(spec.member_id) if result else None
        return (result, prediction) if result and prediction else None

    def prediction(self, member_id: int) -> Prediction:
        """Returns a finished member's predictions.

        Raises:
            UserError: they are missing or damaged.
        """
        prediction = self._prediction(member_id)
        if prediction is None:
            cure = "Run the same `digits-ray run` again: it trains this member anew."
            raise self._damaged(member_id, layout.PREDICTIONS, cure)
        return prediction

    def history(self, member_id: int) -> list[dict[str, float]]:
        """Returns a finished member's history: an entry an epoch, each with its "epoch", from 1."""
        lines = parse_csv(self._store.read(self._name(member_id, layout.HISTORY)))
        return [{name: float(value) for name, value in line.items() if value} for line in lines]

    def model_file(self, member_id: int) -> bytes:
        """Returns a finished member's .keras archive unchecked.

        Raises:
            FileNotFoundError: it is missing.
        """
        return self._store.read(self._name(member_id, layout.MODEL))

    def intact_model_file(self, member_id: int) -> bytes:
        """Returns a finished member's .keras archive, once its checksums are right.

        Raises:
            UserError: it is missing or damaged.
        """
        data = self._store.read_or_none(self._name(member_id, layout.MODEL))
        if data is None or not is_intact_archive(data):
            cure = "Delete result.json beside it, then run the same `digits-ray run` again: it trains this member anew."
            raise self._damaged(member_id, layout.MODEL, cure)
        return data

    def write(
        self, spec: MemberSpec, result: MemberResult, holdout: Mapping[str, Any] | None, event_file: bytes
    ) -> dict[str, Any]:
        """Writes a finished member's files, result.json last, and deletes its saved epochs; see `RunDirectory`."""
        record = _result_record(spec, result, holdout)
        contents = {
            layout.SPEC: json_bytes(asdict(spec)),
            layout.HISTORY: history_bytes(result.history),
            layout.EVENTS: event_file,
            layout.PREDICTIONS: prediction_bytes(result.prediction),
            layout.MODEL: result.model_file,
            layout.RESULT: json_bytes(record),
        }
        for name, content in contents.items():
            self._store.write(self._name(spec.member_id, name), content)
        self._store.delete_folder(layout.attempts_folder(spec.member_id, refit=self._refit))
        return record

    def _name(self, member_id: int, name: str) -> str:
        return layout.member_file(member_id, name, refit=self._refit)

    def _prediction(self, member_id: int) -> Prediction | None:
        data = self._store.read_or_none(self._name(member_id, layout.PREDICTIONS))
        return parse_prediction(data) if data is not None else None

    def _damaged(self, member_id: int, name: str, cure: str) -> UserError:
        return UserError(f"{self._store.path_of(self._name(member_id, name))}: missing or damaged. {cure}")


def spec_hash(spec: MemberSpec) -> str:
    """Returns the hash by which a finished member is matched to its specification."""
    values = json.loads(json.dumps(asdict(spec)))
    return hashlib.sha256(json_bytes(member_identity(values))).hexdigest()


def _result_record(spec: MemberSpec, result: MemberResult, holdout: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "spec_hash": spec_hash(spec),
        "epochs": len(result.history),
        **{name: getattr(result, name) for name in _RESULT_FACTS},
        "holdout": holdout,
    }
