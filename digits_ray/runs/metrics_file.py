"""metrics.json: what a run has reached, as frozen records. Plain dictionaries begin where they are written."""

import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np

from digits_ray.config import EnsembleConfig
from digits_ray.data import TRAIN_ONLY
from digits_ray.ensemble import (
    Combined,
    NetworksPerRow,
    Scores,
    Standing,
    mcnemar,
)
from digits_ray.runs.ensemble_scores import EnsembleScores
from digits_ray.runs.inputs import RunInputs
from digits_ray.runs.member_metrics import MemberMetrics, members_metrics
from digits_ray.runs.scores_of_test_rows import ScoresOfTestRows
from digits_ray.runs.state import RunState
from digits_ray.version import __version__

PACKAGES = ("ray", "tensorflow", "keras", "numpy", "scikit-learn", "pyarrow")


@dataclass(frozen=True)
class DataMetrics:
    """How many rows and classes there are."""

    train_rows: int
    holdout_rows: int
    test_rows: int
    classes: int

    @classmethod
    def of(cls, inputs: RunInputs) -> "DataMetrics":
        """Counts the rows; under k folds, every labelled row is trained on and held out once."""
        labelled, scored = len(inputs.folds), int((inputs.folds != TRAIN_ONLY).sum())
        trained = labelled if scored == labelled else labelled - scored
        return cls(trained, scored, len(inputs.data.test_images), len(inputs.data.classes))


@dataclass(frozen=True)
class MemberComparison:
    """The ensemble and its best member on the rows that both scored."""

    member: str
    rows: int
    only_ensemble_right: int  # rows
    only_member_right: int  # rows
    p_value: float  # of "equally accurate", McNemar's test


@dataclass(frozen=True)
class EnsembleMetrics:
    """How good the ensemble is."""

    method: Literal["mean", "weighted mean"]
    vote: EnsembleConfig
    members_used: int
    holdout: EnsembleScores | None
    against_best_member: MemberComparison | None
    mean_disagreement: float | None  # part of the models, 0 … 1; see `Combined`
    refitted: list[int] | None  # members whose refit votes on the test rows, by id; None where no refit is wanted
    networks_per_row: NetworksPerRow | None  # that scored the holdout; None where all members did

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object, as 0.1.0 wrote it where no refit is wanted and all members score the same rows."""
        values = {**asdict(self), "holdout": self.holdout.to_json() if self.holdout else None}
        if self.refitted is None:
            del values["refitted"]
        if self.networks_per_row is None:
            del values["networks_per_row"]
        else:
            values["networks_per_row"]["text"] = str(self.networks_per_row)
        return values


@dataclass(frozen=True)
class TimingMetrics:
    """Seconds, those of the earlier commands that this one continues included."""

    wall_seconds: float  # up to the results: the report is drawn after them
    member_seconds: float  # of all members' epochs, those of refits included
    slots: int  # members that this command trained at the same time
    # The part of this command's slots that went into anything but epochs: starting, compiling, predicting, saving,
    # waiting for the last member. None before the last one has ended.
    overhead: float | None

    @classmethod
    def of(cls, state: RunState) -> "TimingMetrics":
        """Adds this command's seconds to those of earlier ones."""
        earlier = state.previous.get("timing", {}).get("wall_seconds", 0.0)
        return cls(
            wall_seconds=earlier + time.monotonic() - state.started,
            member_seconds=sum(record.fit_seconds for record in (*state.records.values(), *state.refits.values())),
            slots=state.plan.members_at_once if state.plan else 0,
            overhead=1 - state.fit_seconds / state.slot_seconds if state.slot_seconds else None,
        )


@dataclass(frozen=True)
class Environment:
    """The versions and the machine that a result was made with."""

    python: str
    platform: str
    packages: Mapping[str, str]  # version, by name
    plan: str | None  # how the members were trained, in one line

    @classmethod
    def of(cls, state: RunState) -> "Environment":
        """Asks this process for its own versions."""
        plan = state.plan.reason if state.plan else None
        backend = state.inputs.config.members.recipe.backend
        return cls(platform.python_version(), platform.platform(), _package_versions(backend), plan)

    def to_json(self) -> dict[str, Any]:
        """Returns one object, with a key for each package."""
        return {"python": self.python, "platform": self.platform, **self.packages, "plan": self.plan}


@dataclass(frozen=True)
class Metrics:
    """All that metrics.json holds."""

    status: Literal["running", "done"]
    data: DataMetrics
    members: tuple[MemberMetrics, ...]
    baselines: Mapping[str, Mapping[str, Any]]  # by kind, as `BaselineResults.metrics` gives them
    ensemble: EnsembleMetrics
    timing: TimingMetrics
    environment: Environment
    test: ScoresOfTestRows | None

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object; others read its keys, so none goes and none changes its meaning."""
        return {
            "status": self.status,
            "data": asdict(self.data),
            "members": [member.to_json() for member in self.members],
            "baselines": dict(self.baselines),
            "ensemble": self.ensemble.to_json(),
            **({"test": self.test.to_json()} if self.test else {}),
            "timing": asdict(self.timing),
            "environment": self.environment.to_json(),
        }


def metrics_of(
    state: RunState,
    combined: Combined | None,
    scores: Scores | None,
    standings: list[Standing],
    test: ScoresOfTestRows | None,
    *,
    final: bool,
) -> Metrics:
    """Puts the metrics of a run together.

    Args:
        state: Of the run.
        combined: The ensemble; None when there is no member yet.
        scores: Of the ensemble; None when no rows are held out.
        standings: The leaderboard; empty where there are no scores.
        test: Scores of labelled test rows; None where there are none, and before the end.
        final: Whether no member and no refit is missing any more.
    """
    return Metrics(
        status="done" if final else "running",
        data=DataMetrics.of(state.inputs),
        members=members_metrics(state, test),
        baselines=state.baselines.metrics(combined),
        ensemble=_ensemble_metrics(state, combined, scores, standings, final=final),
        timing=TimingMetrics.of(state),
        environment=Environment.of(state),
        test=test,
    )


def _ensemble_metrics(
    state: RunState, combined: Combined | None, scores: Scores | None, standings: list[Standing], *, final: bool
) -> EnsembleMetrics:
    disagreement = combined.holdout_disagreement if combined and not state.one_network_scores else np.zeros(0)
    return EnsembleMetrics(
        method="weighted mean" if any(state.baselines.weights.values()) else "mean",
        vote=state.inputs.config.ensemble,
        members_used=len(state.records),
        holdout=EnsembleScores.of(combined, scores, state.inputs) if combined and scores else None,
        against_best_member=None if state.one_network_scores else _compare_with_best(state, combined, standings),
        mean_disagreement=float(disagreement.mean()) if len(disagreement) else None,
        refitted=(state.refitted if final else []) if state.inputs.refit_specs else None,
        networks_per_row=state.networks_per_row if scores else None,
    )


def _compare_with_best(
    state: RunState, combined: Combined | None, standings: list[Standing]
) -> MemberComparison | None:
    best = next((standing for standing in standings if standing.kind == "member"), None)
    if combined is None or best is None:
        return None
    member = state.directory.members.prediction(int(best.model_id.removeprefix("member-")))
    proba = combined.holdout_proba[np.searchsorted(combined.holdout_row_ids, member.holdout_row_ids)]
    labels = state.inputs.data.labels[member.holdout_row_ids]
    test = mcnemar(proba.argmax(axis=1) == labels, member.holdout_proba.argmax(axis=1) == labels)
    return MemberComparison(best.model_id, len(labels), test.only_a_right, test.only_b_right, test.p_value)


@cache
def _package_versions(backend: str) -> Mapping[str, str]:
    # This package's own is of the code that runs: in a job it is not installed, it comes as source.
    versions = {"digits-ray": __version__}
    for name in dict.fromkeys([*PACKAGES, backend]):
        with suppress(PackageNotFoundError):  # TensorFlow, where members train on another backend
            versions[name] = version(name)
    return versions
