"""The finished baselines of a run: kept, on the leaderboard, compared with the ensemble, and with a vote if wanted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from digits_ray.baselines.trial_records import BaselineFiles
from digits_ray.baselines.trials import BaselineSpec, Kind, describe
from digits_ray.baselines.voting import cross_fitted_weights
from digits_ray.config import EnsembleConfig
from digits_ray.data import Data
from digits_ray.ensemble import Combined, Prediction, Scores, SoftVote, Standing, mcnemar, score
from digits_ray.storage import RunDirectory

if TYPE_CHECKING:
    from digits_ray.baselines.searching import FoundBaseline


@dataclass
class BaselineResults:
    """What the run has of its baselines so far."""

    run: RunDirectory
    data: Data
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # result.json, by kind
    predictions: dict[str, Prediction] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)  # of those that vote, the members together being 1

    def take_finished(self, specs: list[BaselineSpec] | None) -> list[BaselineSpec]:
        """Counts in what an earlier command has finished; returns the baselines that are missing.

        Args:
            specs: The baselines that are wanted; None: a run that searches none keeps those that it has.
        """
        wanted = {spec.kind: spec for spec in specs or []}
        for kind in get_args(Kind):
            files = BaselineFiles(self.run, kind)
            record = files.result(wanted[kind]) if specs else files.any_result()
            prediction = files.prediction() if record else None
            if record and prediction:
                self.records[kind], self.predictions[kind] = record, prediction
        return [spec for spec in specs or [] if spec.kind not in self.records]

    def keep(self, found: "FoundBaseline", validation_rows: int) -> Mapping[str, Any] | None:
        """Writes a baseline's files and counts it in; returns its result.json, or None when every trial failed."""
        kind = found.spec.kind
        if found.best is None or found.prediction is None:
            self.failures[kind] = next((trial.error for trial in found.trials if trial.error), "no trial ended")
            return None
        record = self._record(found, found.best, found.prediction, validation_rows)
        BaselineFiles(self.run, kind).keep(record, found.trials, found.prediction)
        self.records[kind], self.predictions[kind] = record, found.prediction
        return record

    def standings(self) -> list[Standing]:
        """Returns the baselines' lines of the leaderboard."""
        return [
            Standing(kind, "baseline", describe(record["best"]), Scores(**record["holdout"]), record["fit_seconds"])
            for kind, record in self.records.items()
            if record["holdout"]
        ]

    def metrics(self, ensemble: Combined | None) -> dict[str, Any]:
        """Returns the baselines' part of metrics.json."""
        found = {kind: self._metrics(kind, ensemble) for kind in self.records}
        return found | {kind: {"status": "failed", "error": error} for kind, error in self.failures.items()}

    def join(self, vote: SoftVote, ensemble: EnsembleConfig, folds: np.ndarray) -> None:
        """Lets the baselines vote beside the members that are in the vote already.

        Args:
            vote: Of all members.
            ensemble: Whether, and with what weight.
            folds: (labelled_rows,) int16, from `data.split`.
        """
        if not ensemble.include_baselines or not self.records:
            return
        by_row, weights = self._weights(vote.result(), ensemble, folds)
        members, per_row = len(vote.result().model_ids), vote.models_per_row()
        for kind, rows, weight in zip(self.records, by_row, weights, strict=True):
            self.weights[kind] = weight
            if weight > 0:
                prediction = _only(self.predictions[kind], per_row > 0)
                ids = prediction.holdout_row_ids
                vote.add(prediction, weight * members, rows[ids] * per_row[ids])

    def _weights(
        self, members: Combined, ensemble: EnsembleConfig, folds: np.ndarray
    ) -> tuple[np.ndarray, list[float]]:
        """Returns a weight for each baseline and labelled row, (baselines, labelled_rows), and for new rows."""
        by_row = np.zeros((len(self.records), len(folds)))
        if ensemble.baseline_weight != "auto":
            by_row[:] = ensemble.baseline_weight
            return by_row, [ensemble.baseline_weight] * len(self.records)
        ids = members.holdout_row_ids  # those that all have scored
        for kind in self.records:
            ids = np.intersect1d(ids, self.predictions[kind].holdout_row_ids)
        ours = members.holdout_proba[np.searchsorted(members.holdout_row_ids, ids)]
        probas = [_at(self.predictions[kind], ids) for kind in self.records]
        by_row[:, ids], weights = cross_fitted_weights(ours, probas, self.data.labels[ids], folds[ids])
        return by_row, weights

    def _record(
        self, found: "FoundBaseline", best: Mapping[str, Any], prediction: Prediction, validation_rows: int
    ) -> dict[str, Any]:
        ids = prediction.holdout_row_ids
        states = [trial.state for trial in found.trials]
        return {
            "spec_hash": found.spec.key,
            "best": best["params"],
            "validation": {"rows": validation_rows, "accuracy": best["accuracy"], "nll": best["nll"]},
            "holdout": asdict(score(prediction.holdout_proba, self.data.labels[ids])) if len(ids) else None,
            "trials": {state: states.count(state) for state in ("done", "stopped", "failed")},
            "search_seconds": found.search_seconds,
            "fit_seconds": found.fit_seconds,
        }

    def _metrics(self, kind: str, ensemble: Combined | None) -> dict[str, Any]:
        facts = {name: value for name, value in self.records[kind].items() if name != "spec_hash"}
        against = self._against(self.predictions[kind], ensemble) if ensemble and facts["holdout"] else None
        return {"status": "done", **facts, "against_ensemble": against, "weight": self.weights.get(kind, 0.0)}

    def _against(self, prediction: Prediction, ensemble: Combined) -> dict[str, Any] | None:
        """Compares the ensemble with a baseline on the rows that both scored."""
        ids = np.intersect1d(ensemble.holdout_row_ids, prediction.holdout_row_ids)
        if len(ids) == 0:
            return None
        ours = ensemble.holdout_proba[np.searchsorted(ensemble.holdout_row_ids, ids)].argmax(axis=1)
        labels = self.data.labels[ids]
        test = mcnemar(ours == labels, _at(prediction, ids).argmax(axis=1) == labels)
        return {
            "rows": len(ids),
            "only_ensemble_right": test.only_a_right,
            "only_baseline_right": test.only_b_right,
            "p_value": test.p_value,
        }


def _at(prediction: Prediction, row_ids: np.ndarray) -> np.ndarray:
    """Returns the holdout probabilities of these rows, in their order, (rows, classes)."""
    order = prediction.holdout_row_ids.argsort()
    places = np.searchsorted(prediction.holdout_row_ids[order], row_ids)
    return prediction.holdout_proba[order[places]]


def _only(prediction: Prediction, wanted: np.ndarray) -> Prediction:
    """Returns the prediction without the holdout rows that are not wanted; `wanted` is (labelled_rows,) bool."""
    keep = wanted[prediction.holdout_row_ids]
    ids, proba = prediction.holdout_row_ids[keep], prediction.holdout_proba[keep]
    return replace(prediction, holdout_row_ids=ids, holdout_proba=proba)
