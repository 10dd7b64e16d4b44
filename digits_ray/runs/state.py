"""From predictions to the files that people open: metrics.json, leaderboard.csv, submission.csv, ensemble.npz."""

import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from io import BytesIO
from typing import Any

import numpy as np

from digits_ray.version import __version__
from digits_ray.report import samples
from digits_ray.ensemble import submission
from digits_ray.baselines import BaselineResults
from digits_ray.config import Config, MemberSpec
from digits_ray.data import TRAIN_ONLY, Data, check
from digits_ray.ensemble import Combined, SoftVote, Standing, labels_of, leaderboard, leaderboard_csv
from digits_ray.ensemble import McNemar, Scores, mcnemar, score
from digits_ray.ensemble import MemberFailure, MemberResult, Prediction, member_name
from digits_ray.scheduling import Plan
from digits_ray.storage import RunDirectory, layout
from digits_ray.tracking import Tracking, event_file

INTERIM_SECONDS = 2.0  # at least, between two writes of the ensemble so far
INTERIM_SHARE = 0.1  # of the driver's time, at most, goes into them: each is as long as the ensemble is large


@dataclass
class RunState:
    """What the run has so far. `write` can be called at any time from the first member on."""

    run: RunDirectory
    config: Config
    data: Data
    folds: np.ndarray  # (labelled_rows,) int16
    specs: list[MemberSpec]
    started: float  # time.monotonic() of the command
    tracking: Tracking
    plan: Plan | None = None  # how this command trained; None when nothing was missing
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # result.json of finished members
    failures: dict[int, MemberFailure] = field(default_factory=dict)
    slot_seconds: float = 0.0  # this command's training, from its start to the last member's end, times its slots

    def __post_init__(self) -> None:
        self.vote = self._empty_vote()
        self.before = self.run.read_json(layout.METRICS) or {}
        self.baselines = BaselineResults(self.run, self.data)
        self._own_seconds = 0.0  # of training, by members that this command trained from their first epoch on
        self._spec = {spec.member_id: spec for spec in self.specs}
        self._interim: Mapping[str, Any] = {}  # metrics.json, as last written
        self._changed, self._next_interim = False, time.monotonic()

    def keep_samples(self) -> None:
        """Writes what the report needs of the data, once."""
        if not self.run.is_intact(layout.DATASET):
            file = samples.dataset_file(self.data, self.folds, check(self.data), self.config.seed)
            self.run.store.write(layout.DATASET, file)

    def take_finished(self) -> list[MemberSpec]:
        """Counts in the members that an earlier, interrupted run has finished; returns those that are missing."""
        missing = []
        for spec in self.specs:
            finished = self.run.members.load_finished(spec)
            if finished:
                self.add(spec.member_id, *finished)
            else:
                missing.append(spec)
        return missing

    def holdout_scores(self, prediction: Prediction) -> dict[str, Any] | None:
        """Scores one model on the rows it never saw; None when the run holds none out."""
        if len(prediction.holdout_row_ids) == 0:
            return None
        return asdict(score(prediction.holdout_proba, self.data.labels[prediction.holdout_row_ids]))

    def add(self, member_id: int, record: Mapping[str, Any], prediction: Prediction) -> None:
        """Counts a finished member in."""
        self.vote.add(prediction)
        self.records[member_id] = record
        self._changed = True

    def keep(self, result: MemberResult) -> dict[str, Any]:
        """Writes a finished member's files and counts it in; returns its result.json."""
        spec, holdout = self._spec[result.member_id], self.holdout_scores(result.prediction)
        record = self.run.write_member(spec, result, holdout, event_file(result.history))
        self.add(result.member_id, record, result.prediction)
        self._own_seconds += result.fit_seconds if result.start_epoch == 0 else 0.0
        return record

    def keep_current(self, *, at_once: bool = False) -> Mapping[str, Any]:
        """Writes the ensemble of the members so far, if it has changed and the last time is not too recent.

        Writing it anew for each of many members would cost the square of their number. To be called after each
        member and now and then; the first call with a member writes. What is not written yet is not lost with this
        process: it is made of the members' own files.

        Args:
            at_once: However recent the last time is.

        Returns:
            What metrics.json holds.
        """
        started = time.monotonic()
        if self._changed and (at_once or started >= self._next_interim):
            self._interim, self._changed = self.write(final=False), False
            took = time.monotonic() - started
            self._next_interim = started + max(INTERIM_SECONDS, took / INTERIM_SHARE)
        return self._interim

    def finish(self) -> dict[str, Any]:
        """Writes the final files, unless they are there already; returns what metrics.json holds."""
        if self.plan is None and self.stands():
            return self.before
        if not self.records:
            return self._write_baselines_alone()
        return self.write(final=len(self.records) + len(self.failures) == len(self.specs))

    def write(self, *, final: bool) -> dict[str, Any]:
        """Writes the ensemble of the members so far.

        The final files are computed from the members in the order of their ids, whatever order they arrived in, so
        that an interrupted run gives the very bytes of an undisturbed one.

        Returns:
            What metrics.json holds.
        """
        combined = (self._vote_in_order() if final else self.vote).result()
        scores = self._scores(combined)
        standings = self._standings(scores)
        metrics = self._metrics(combined, scores, standings, final)
        self.run.store.write(layout.ENSEMBLE, _arrays(combined))
        self.run.store.write(layout.CASES, samples.cases_file(self.data, combined))
        self.run.store.write(layout.LEADERBOARD, leaderboard_csv(standings).encode())
        if len(self.data.test_images):
            self.run.store.write(layout.SUBMISSION, self._submission(combined))
        self.run.write_json(layout.METRICS, metrics)
        return metrics

    def votes_otherwise(self) -> bool:
        """Tells whether the finished run's ensemble was made by another rule than this one's configuration has."""
        return bool(self.before) and self.before["ensemble"].get("vote") != asdict(self.config.ensemble)

    def stands(self) -> bool:
        """Tells whether an earlier command has written the final files from these very models, and they are whole."""
        done = self.before.get("status") == "done" and len(self.records) == len(self.specs)
        if not done or self.before["ensemble"]["members_used"] != len(self.specs):
            return False
        files = [layout.DATA, layout.DATASET, layout.ENSEMBLE, layout.CASES, layout.LEADERBOARD]
        if not all(map(self.run.is_intact, files + [layout.SUBMISSION] * bool(len(self.data.test_images)))):
            return False
        return not self.votes_otherwise() and set(self.before["baselines"]) == set(self.baselines.records)

    def _write_baselines_alone(self) -> dict[str, Any]:
        """Writes the scores of a run that has no member yet."""
        metrics = self._metrics(None, None, [], final=False)
        self.run.store.write(layout.LEADERBOARD, leaderboard_csv(self.baselines.standings()).encode())
        self.run.write_json(layout.METRICS, metrics)
        return metrics

    def _empty_vote(self) -> SoftVote:
        same_holdout = self.config.split.scheme != "kfold"
        rows, classes = len(self.data.labels), len(self.data.classes)
        return SoftVote(rows, len(self.data.test_images), classes, same_holdout=same_holdout)

    def _vote_in_order(self) -> SoftVote:
        vote = self._empty_vote()
        for member_id in sorted(self.records):
            vote.add(self.run.members.prediction(member_id))
        self.baselines.join(vote, self.config.ensemble, self.folds)
        return vote

    def _scores(self, combined: Combined) -> Scores | None:
        if len(combined.holdout_row_ids) == 0:
            return None
        return score(combined.holdout_proba, self.data.labels[combined.holdout_row_ids])

    def _submission(self, combined: Combined) -> bytes:
        labels = labels_of(combined.test_proba, self.data.classes)
        return submission.to_csv(combined.test_row_ids, labels, len(self.data.test_images))

    def _standings(self, scores: Scores | None) -> list[Standing]:
        if scores is None:
            return []
        seconds = sum(record["fit_seconds"] for record in self.records.values())
        architectures = "+".join(dict.fromkeys(self.config.members.architectures))
        ensemble = Standing("ensemble", "ensemble", architectures, scores, seconds)
        members = [self._standing(spec) for spec in self.specs if spec.member_id in self.records]
        return leaderboard([ensemble, *members, *self.baselines.standings()])

    def _standing(self, spec: MemberSpec) -> Standing:
        record = self.records[spec.member_id]
        scores = Scores(**record["holdout"])
        return Standing(member_name(spec.member_id), "member", spec.architecture, scores, record["fit_seconds"])

    def _metrics(
        self, combined: Combined | None, scores: Scores | None, standings: list[Standing], final: bool
    ) -> dict[str, Any]:
        return {
            "status": "done" if final else "running",
            "data": self._data_metrics(),
            "members": [self._member_metrics(spec) for spec in self.specs],
            "baselines": self.baselines.metrics(combined),
            "ensemble": {
                "method": "weighted mean" if any(self.baselines.weights.values()) else "mean",
                "vote": asdict(self.config.ensemble),
                "members_used": len(self.records),
                "holdout": asdict(scores) if scores else None,
                "against_best_member": self._against_best(combined, standings) if combined and scores else None,
                "mean_disagreement": _mean(combined.holdout_disagreement) if combined else None,
            },
            "timing": self._timing(),
            "environment": environment() | {"plan": self.plan.reason if self.plan else None},
        }

    def _data_metrics(self) -> dict[str, Any]:
        scored = int((self.folds != TRAIN_ONLY).sum())
        trained = len(self.folds) if self.config.split.scheme == "kfold" else len(self.folds) - scored
        return {
            "train_rows": trained,
            "holdout_rows": scored,
            "test_rows": len(self.data.test_images),
            "classes": len(self.data.classes),
        }

    def _member_metrics(self, spec: MemberSpec) -> dict[str, Any]:
        values: dict[str, Any] = {"id": spec.member_id, "seed": spec.seed, "architecture": spec.architecture}
        failure, record = self.failures.get(spec.member_id), self.records.get(spec.member_id)
        if record:
            facts = {name: value for name, value in record.items() if name != "spec_hash"}
            return values | {"status": "done"} | facts
        if failure:
            error = f"{failure.error_type}: {failure.message}"
            return values | {"status": "failed", "attempts": failure.attempts, "error": error}
        return values | {"status": "waiting", "attempts": 0}

    def _timing(self) -> dict[str, float | None]:
        """Returns seconds, those of earlier commands that this one continued included.

        Overhead is the part of this command's slots that went into anything but epochs: starting, compiling,
        predicting, saving, waiting for the last member; None before the last one has ended.
        """
        before = self.before.get("timing", {}).get("wall_seconds", 0.0)
        return {
            "wall_seconds": before + time.monotonic() - self.started,
            "member_seconds": sum(record["fit_seconds"] for record in self.records.values()),
            "slots": self.plan.slots if self.plan else 0,
            "overhead": 1 - self._own_seconds / self.slot_seconds if self.slot_seconds else None,
        }

    def _against_best(self, combined: Combined, standings: list[Standing]) -> dict[str, Any] | None:
        """Compares the ensemble with the best member on the rows that both scored."""
        best = next((s for s in standings if s.kind == "member"), None)
        if best is None:
            return None
        member = self.run.members.prediction(int(best.model_id.removeprefix("member-")))
        proba = combined.holdout_proba[np.searchsorted(combined.holdout_row_ids, member.holdout_row_ids)]
        labels = self.data.labels[member.holdout_row_ids]
        test: McNemar = mcnemar(proba.argmax(1) == labels, member.holdout_proba.argmax(1) == labels)
        return {
            "member": best.model_id,
            "rows": len(labels),
            "only_ensemble_right": test.only_a_right,
            "only_member_right": test.only_b_right,
            "p_value": test.p_value,
        }


def environment() -> dict[str, Any]:
    """Returns the versions and the machine that a result was made with."""
    packages = ("ray", "tensorflow", "keras", "numpy", "scikit-learn", "pyarrow")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "digits-ray": __version__,  # of the code that runs: in a job it is not installed, it comes as source
        **{name: version(name) for name in packages},
    }


def _arrays(combined: Combined) -> bytes:
    file = BytesIO()
    np.savez(file, **{**asdict(combined), "model_ids": np.array(combined.model_ids)})
    return file.getvalue()


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
