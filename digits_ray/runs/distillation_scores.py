"""How a distilled network compares with the members that taught it and with their ensemble: accuracy and speed."""

import time
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from digits_ray.ensemble import PairedComparison, Prediction, SoftVote, compare_paired
from digits_ray.runs.finished_run import Run
from digits_ray.runs.inputs import RunInputs
from digits_ray.runs.teachers import TEACHERS_WEIGHT, Teachers
from digits_ray.storage import RunDirectory

TIMED_ROWS, TIMED_ROUNDS = 1000, 3


@dataclass(frozen=True, kw_only=True)
class TeacherComparison(PairedComparison):
    """The distilled network (a) and another model (b) on the rows that neither was trained on."""

    model: str  # the other: "ensemble", "member-003"
    accuracy: float  # of the other


@dataclass(frozen=True)
class PredictSpeed:
    """Speed of `Run.predict_proba`, of both in turn in one process, after a first call each that is not timed."""

    distilled: float  # images/s, median of the rounds
    ensemble: float  # images/s, alike
    members: int  # that vote in the ensemble
    rows: int  # in a call
    rounds: int


@dataclass(frozen=True)
class Distillation:
    """What metrics.json tells of a distillation beside what it tells of any run."""

    run: str  # directory of the run whose members taught
    teachers: list[int]  # by id
    teachers_weight: float  # of their probabilities in what was learnt; the label has the rest
    which: str  # who taught, why, and what scores the network
    against_ensemble: TeacherComparison | None  # None where no rows were held out
    against_members: list[TeacherComparison]  # that taught
    speed: PredictSpeed

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object."""
        return asdict(self)


def compare_with_teachers(
    run: RunDirectory, teachers: Teachers, distilled: RunDirectory, inputs: RunInputs, speed: PredictSpeed
) -> Distillation:
    """Compares a finished distilled network with its teachers, on the rows that none of them was trained on.

    Args:
        run: Whose members taught.
        teachers: Those of its members.
        distilled: Directory of the distilled network.
        inputs: What went into it.
        speed: Of both.
    """
    own = distilled.members.prediction(0)
    others = [run.members.prediction(number) for number in teachers.member_ids]
    scored = bool(len(own.holdout_row_ids))
    return Distillation(
        run=run.store.uri,
        teachers=teachers.member_ids,
        teachers_weight=TEACHERS_WEIGHT,
        which=teachers.reason,
        against_ensemble=_compare(own, _vote(others, inputs), inputs) if scored else None,
        against_members=[_compare(own, other, inputs) for other in others] if scored else [],
        speed=speed,
    )


def _vote(predictions: list[Prediction], inputs: RunInputs) -> Prediction:
    data = inputs.data
    vote = SoftVote(len(data.labels), len(data.test_images), len(data.classes), same_holdout=True)
    for prediction in predictions:
        vote.add(prediction)
    combined = vote.result()
    return replace(
        predictions[0],
        model_id="ensemble",
        holdout_row_ids=combined.holdout_row_ids,
        holdout_proba=combined.holdout_proba,
    )


def _compare(own: Prediction, other: Prediction, inputs: RunInputs) -> TeacherComparison:
    """Compares two models on the rows of the same fold, in the same order."""
    if not np.array_equal(own.holdout_row_ids, other.holdout_row_ids):
        raise RuntimeError(f"{other.model_id} held out other rows than the distilled network")
    labels = inputs.data.labels[own.holdout_row_ids]
    own_correct, other_correct = (each.holdout_proba.argmax(axis=1) == labels for each in (own, other))
    paired = compare_paired(own_correct, other_correct)
    return TeacherComparison(model=other.model_id, accuracy=float(other_correct.mean()), **vars(paired))


def measure_speed(distilled: Run, ensemble: Run, images: np.ndarray) -> PredictSpeed:
    """Times `predict_proba` of a distilled network and of the ensemble, in turn: what slows one down slows both.

    Args:
        distilled: The distilled network's run.
        ensemble: The run whose members taught.
        images: (rows, height, width[, 3]) uint8; the first TIMED_ROWS are predicted.
    """
    images, runs = images[:TIMED_ROWS], (distilled, ensemble)
    for run in runs:  # the first call reads and compiles
        run.predict_proba(images)
    rounds = [[_images_per_second(run, images) for run in runs] for _ in range(TIMED_ROUNDS)]
    of_distilled, of_ensemble = (median(speeds) for speeds in zip(*rounds, strict=True))
    return PredictSpeed(of_distilled, of_ensemble, len(ensemble.member_ids), len(images), TIMED_ROUNDS)


def _images_per_second(run: Run, images: np.ndarray) -> float:
    started = time.perf_counter()
    run.predict_proba(images)
    return len(images) / (time.perf_counter() - started)
