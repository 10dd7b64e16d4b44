"""The files that people open, from the members so far: metrics.json, leaderboard.csv, submission.csv, ensemble.npz."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np

from digits_ray.config import MemberSpec, architecture_name
from digits_ray.data import Data, row_number
from digits_ray.ensemble import (
    Combined,
    Scores,
    Standing,
    label_issues,
    label_issues_csv,
    labels_of,
    leaderboard_csv,
    member_name,
    rank_standings,
    score,
    submission,
)
from digits_ray.report import report_data
from digits_ray.runs.metrics_file import metrics_of
from digits_ray.runs.scores_of_test_rows import ScoresOfTestRows, score_test_rows
from digits_ray.runs.state import RunState
from digits_ray.storage import layout

INTERIM_SECONDS = 2.0  # at least, between two writes of the ensemble so far
INTERIM_FRACTION = 0.1  # of the driver's time, at most, goes into them: each is as long as the ensemble is large


class ResultFiles:
    """Writes the result files, during the run and at its end. Every write returns what metrics.json then holds."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._interim: Mapping[str, Any] = {}  # metrics.json, as last written
        self._interim_members = 0  # that are in it
        self._next_interim = time.monotonic()

    def write_interim(self, *, at_once: bool = False) -> Mapping[str, Any]:
        """Writes the ensemble of the members so far, if it has changed and the last time is not too recent.

        Writing it anew for each of many members would cost the square of their number. To be called after each
        member and now and then; the first call with a member writes. What is not written yet is not lost with this
        process: it is made of the members' own files. The ensemble of all members is written at once: it is told with
        the last of them.

        Args:
            at_once: However recent the last time is.
        """
        started, members = time.monotonic(), len(self.state.records)
        at_once = at_once or members + len(self.state.failures) == len(self.state.inputs.specs)
        if members > self._interim_members and (at_once or started >= self._next_interim):
            self._interim, self._interim_members = self.write(final=False), members
            took = time.monotonic() - started
            self._next_interim = started + max(INTERIM_SECONDS, took / INTERIM_FRACTION)
        return self._interim

    def write_final(self) -> Mapping[str, Any]:
        """Writes the files of this command's end; they are final once no member and no refit is missing."""
        state = self.state
        if not state.records:
            return self._write_baselines_alone()
        return self.write(final=state.is_complete())

    def write(self, *, final: bool) -> Mapping[str, Any]:
        """Writes the ensemble of the members so far.

        Args:
            final: Whether no member and no refit is missing any more; refits vote only then.
        """
        state, data = self.state, self.state.inputs.data
        combined = state.final_combined() if final else state.combined()
        scores = _ensemble_scores(combined, data.labels)
        standings = _standings(state, scores)
        store = state.directory.store
        store.write(layout.ENSEMBLE, ensemble_file(combined))
        store.write(layout.CASES, report_data.cases_file(data, combined))
        store.write(layout.LEADERBOARD, leaderboard_csv(standings).encode())
        if scores is not None:
            store.write(
                layout.LABEL_ISSUES, label_issues_file(combined, data, one_network_scores=self.state.one_network_scores)
            )
        if final:
            state.directory.write_json(layout.DRAWING, state.inputs.drawing_form().to_json())
        if len(data.test_images):
            labels = labels_of(combined.test_proba, data.classes)
            names = state.inputs.config.submission
            file = submission.to_csv(
                combined.test_row_ids,
                labels,
                len(data.test_images),
                ids=data.test_ids,
                id_column=names.id_column or data.id_column,
                label_column=names.label_column,
            )
            store.write(layout.SUBMISSION, file)
        test = score_test_rows(state, combined) if final else None
        return self._write_metrics(combined, scores, standings, test, final=final)

    def _write_baselines_alone(self) -> Mapping[str, Any]:
        """Writes the scores of a run that has no member yet."""
        standings = self.state.baselines.standings()
        self.state.directory.store.write(layout.LEADERBOARD, leaderboard_csv(standings).encode())
        return self._write_metrics(None, None, [], None, final=False)

    def _write_metrics(
        self,
        combined: Combined | None,
        scores: Scores | None,
        standings: list[Standing],
        test: ScoresOfTestRows | None,
        *,
        final: bool,
    ) -> Mapping[str, Any]:
        metrics = metrics_of(self.state, combined, scores, standings, test, final=final).to_json()
        self.state.directory.write_json(layout.METRICS, metrics)
        return metrics


def ensemble_file(combined: Combined) -> bytes:
    """Returns the ensemble's arrays as .npz, each under its field's name in `Combined`."""
    file = BytesIO()
    np.savez(file, **{**asdict(combined), "model_ids": np.array(combined.model_ids)})
    return file.getvalue()


def label_issues_file(combined: Combined, data: Data, *, one_network_scores: bool) -> bytes:
    """Returns label_issues.csv: the held-out rows whose label the ensemble contradicts."""
    rows = combined.holdout_row_ids
    disagreement = None if one_network_scores else combined.holdout_disagreement
    issues = label_issues(rows, combined.holdout_proba, disagreement, data.labels[rows])
    return label_issues_csv(issues, data.classes, partial(row_number, train_rows=data.train_rows)).encode()


def _ensemble_scores(combined: Combined, labels: np.ndarray) -> Scores | None:
    """Scores the ensemble on the held-out rows; `labels` is (labelled_rows,) int32."""
    ids = combined.holdout_row_ids
    return score(combined.holdout_proba, labels[ids]) if len(ids) else None


def _standings(state: RunState, scores: Scores | None) -> list[Standing]:
    """Returns the leaderboard; empty when no rows are held out."""
    if scores is None:
        return []
    seconds = sum(record.fit_seconds for record in state.records.values())
    architectures = "+".join(dict.fromkeys(map(architecture_name, state.inputs.config.members.architectures)))
    ensemble = Standing("ensemble", "ensemble", architectures, scores, seconds)
    members = [standing for spec in state.inputs.specs if (standing := _member_standing(state, spec))]
    return rank_standings([ensemble, *members, *state.baselines.standings()])


def _member_standing(state: RunState, spec: MemberSpec) -> Standing | None:
    record = state.records.get(spec.member_id)
    if record is None or record.holdout is None:
        return None
    return Standing(
        member_name(spec.member_id), "member", architecture_name(spec.architecture), record.holdout, record.fit_seconds
    )
