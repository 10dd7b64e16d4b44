"""The finished baselines of a run: their results, their lines of the leaderboard, and their votes in the ensemble."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from digits_ray.baselines.baseline_result import BaselineResult, ValidationScores
from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.trial_records import SavedBaseline, TrialState
from digits_ray.baselines.trial_specs import BaselineSpec, describe
from digits_ray.baselines.vote_weights import cross_fitted_weights
from digits_ray.config import BASELINE_KINDS, EnsembleConfig
from digits_ray.data import Data
from digits_ray.ensemble import Combined, Prediction, SoftVote, Standing, mcnemar, score
from digits_ray.storage import RunDirectory

if TYPE_CHECKING:
    from digits_ray.baselines.search import SearchOutcome


@dataclass
class BaselineResults:
    """What the run has of its baselines so far."""

    run: RunDirectory
    data: Data
    records: dict[str, BaselineResult] = field(default_factory=dict)  # by kind
    predictions: dict[str, Prediction] = field(default_factory=dict)  # by kind
    failures: dict[str, str] = field(default_factory=dict)  # the first error, by kind
    weights: dict[str, float] = field(default_factory=dict)  # by kind, of those that vote; members together: 1

    def load_finished(self, specs: list[BaselineSpec] | None) -> list[BaselineSpec]:
        """Records what an earlier command has finished; returns the baselines that are missing.

        Args:
            specs: The baselines that this command searches for; None: it searches for none, and all finished count.
        """
        spec_of = {spec.kind: spec for spec in specs or []}
        for kind in BASELINE_KINDS:
            files = SavedBaseline(self.run, kind)
            record = files.result(spec_of.get(kind))
            prediction = files.prediction() if record else None
            if record and prediction:
                self.records[kind], self.predictions[kind] = record, prediction
        return [spec for spec in specs or [] if spec.kind not in self.records]

    def write_outcome(self, outcome: "SearchOutcome", validation_rows: int) -> Mapping[str, Any] | None:
        """Records a search's outcome and writes its files.

        Returns:
            The content of result.json; None when every trial failed, or the refit, which writes nothing.
        """
        kind = outcome.spec.kind
        if outcome.best is None or outcome.prediction is None:
            errors = [trial.error for trial in outcome.trials if trial.error]
            self.failures[kind] = outcome.refit_error or next(iter(errors), "no trial ended")
            return None
        record = self._result(outcome, outcome.best, outcome.prediction, validation_rows)
        SavedBaseline(self.run, kind).write(record, outcome.trials, outcome.prediction)
        self.records[kind], self.predictions[kind] = record, outcome.prediction
        return record.to_json()

    def standings(self) -> list[Standing]:
        """Returns the baselines' lines of the leaderboard."""
        return [
            Standing(kind, "baseline", describe(record.best), record.holdout, record.fit_seconds)
            for kind, record in self.records.items()
            if record.holdout
        ]

    def metrics(self, ensemble: Combined | None) -> dict[str, Any]:
        """Returns the baselines' part of metrics.json."""
        finished = {kind: self._metrics(kind, ensemble) for kind in self.records}
        return finished | {kind: {"status": "failed", "error": error} for kind, error in self.failures.items()}

    def add_to_vote(self, vote: SoftVote, ensemble: EnsembleConfig, folds: np.ndarray) -> None:
        """Adds the baselines to the vote of the members, if they are to vote.

        Args:
            vote: Of all members.
            ensemble: Whether the baselines vote, and with what weight.
            folds: (labelled_rows,) int16, from `data.split`.
        """
        if not ensemble.include_baselines or not self.records:
            return
        by_row, weights = self._weights(vote.result(), ensemble, folds)
        members, per_row = len(vote.result().model_ids), vote.models_per_row()
        for kind, rows, weight in zip(self.records, by_row, weights, strict=True):
            self.weights[kind] = weight
            if weight > 0:
                prediction = _restricted_to(self.predictions[kind], per_row > 0)
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
        ids = members.holdout_row_ids  # of rows that every model scored
        for kind in self.records:
            ids = np.intersect1d(ids, self.predictions[kind].holdout_row_ids)
        member_proba = members.holdout_proba[np.searchsorted(members.holdout_row_ids, ids)]
        probas = [_at(self.predictions[kind], ids) for kind in self.records]
        by_row[:, ids], weights = cross_fitted_weights(member_proba, probas, self.data.labels[ids], folds[ids])
        return by_row, weights

    def _result(
        self, outcome: "SearchOutcome", best: ScoredPoint, prediction: Prediction, validation_rows: int
    ) -> BaselineResult:
        ids = prediction.holdout_row_ids
        states = [trial.state for trial in outcome.trials]
        return BaselineResult(
            spec_hash=outcome.spec.key,
            best=best.params,
            validation=ValidationScores(validation_rows, best.accuracy, best.nll),
            holdout=score(prediction.holdout_proba, self.data.labels[ids]) if len(ids) else None,
            trials={state: states.count(state) for state in get_args(TrialState)},
            search_seconds=outcome.search_seconds,
            fit_seconds=outcome.fit_seconds,
        )

    def _metrics(self, kind: str, ensemble: Combined | None) -> dict[str, Any]:
        values = self.records[kind].to_json()
        del values["spec_hash"]
        against = self._against(self.predictions[kind], ensemble) if ensemble and values["holdout"] else None
        return {"status": "done", **values, "against_ensemble": against, "weight": self.weights.get(kind, 0.0)}

    def _against(self, prediction: Prediction, ensemble: Combined) -> dict[str, Any] | None:
        """Compares the ensemble with a baseline on the rows that both scored."""
        ids = np.intersect1d(ensemble.holdout_row_ids, prediction.holdout_row_ids)
        if len(ids) == 0:
            return None
        ensemble_top = ensemble.holdout_proba[np.searchsorted(ensemble.holdout_row_ids, ids)].argmax(axis=1)
        labels = self.data.labels[ids]
        test = mcnemar(ensemble_top == labels, _at(prediction, ids).argmax(axis=1) == labels)
        return {
            "rows": len(ids),
            "only_ensemble_right": test.only_a_right,
            "only_baseline_right": test.only_b_right,
            "p_value": test.p_value,
        }


def _at(prediction: Prediction, row_ids: np.ndarray) -> np.ndarray:
    """Returns the holdout probabilities of these rows, in their order, (rows, classes)."""
    order = prediction.holdout_row_ids.argsort()
    positions = order[np.searchsorted(prediction.holdout_row_ids[order], row_ids)]
    return prediction.holdout_proba[positions]


def _restricted_to(prediction: Prediction, rows: np.ndarray) -> Prediction:
    """Returns the prediction with the holdout rows in `rows`, (labelled_rows,) bool, alone."""
    selected = rows[prediction.holdout_row_ids]
    ids, proba = prediction.holdout_row_ids[selected], prediction.holdout_proba[selected]
    return replace(prediction, holdout_row_ids=ids, holdout_proba=proba)
