"""A baseline's files in the run directory: what is finished, and what an interrupted search already knows."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any, Literal

from digits_ray.baselines.baseline_result import BaselineResult
from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.trial_specs import BaselineSpec, Params, TrialSpec
from digits_ray.config import BaselineKind
from digits_ray.ensemble import Prediction
from digits_ray.storage import RunDirectory

TrialState = Literal["done", "stopped", "failed"]  # stopped: before its last point, because it was poor


@dataclass(frozen=True)
class TrialRecord:
    """What became of one trial."""

    params: Params
    state: TrialState
    points: list[ScoredPoint] = field(default_factory=list)  # in the order of its swept axes
    error: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrialRecord":
        """Reads what `to_json` gave."""
        return cls(**{**values, "points": [ScoredPoint(**point) for point in values["points"]]})

    def to_json(self) -> dict[str, Any]:
        """Returns the content of the trial's file."""
        return asdict(self)


class SavedBaseline:
    """The files of one baseline."""

    def __init__(self, run: RunDirectory, kind: BaselineKind) -> None:
        self._files = run.baseline(kind)

    def result(self, spec: BaselineSpec | None = None) -> BaselineResult | None:
        """Returns the finished baseline's result, or None when it (as the spec, if given, has it) is not finished."""
        values = self._files.result()
        result = BaselineResult.from_json(values) if values else None
        return result if result and (spec is None or result.spec_hash == spec.key) else None

    def prediction(self) -> Prediction | None:
        """Returns the finished baseline's predictions, or None when they are missing or damaged."""
        return self._files.prediction()

    def finished_trials(self, spec: BaselineSpec) -> dict[str, TrialRecord]:
        """Returns the finished trials of an interrupted search, by key."""
        files = {trial.key: self._files.read_trial(trial.key) for trial in spec.trials}
        return {key: TrialRecord.from_json(values) for key, values in files.items() if values}

    def write_trial(self, trial: TrialSpec, record: TrialRecord) -> None:
        """Writes a finished trial, so that a search that is killed does not run it again."""
        self._files.write_trial(trial.key, record.to_json())

    def write(self, result: BaselineResult, trials: Sequence[TrialRecord], prediction: Prediction) -> None:
        """Writes a finished baseline's files, result.json last, and deletes what only an interrupted search needs."""
        self._files.write(result.to_json(), trials_csv(trials), prediction)


def trials_csv(trials: Sequence[TrialRecord]) -> str:
    """Returns a line for every point, the winner first, and for every trial that failed."""
    points = [(trial.state, point) for trial in trials for point in trial.points]
    points.sort(key=lambda scored: scored[1].rank)  # of equals the first of the grid
    lines = [_point_line(state, point) for state, point in points]
    failed = [trial for trial in trials if trial.state == "failed"]
    lines += [{**trial.params, "state": trial.state, "error": trial.error} for trial in failed]
    columns = dict.fromkeys(name for line in lines for name in line if name != "error")
    text = StringIO()
    table = csv.DictWriter(text, [*columns, "error"], lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()


def _point_line(state: TrialState, point: ScoredPoint) -> dict[str, object]:
    scores = {"accuracy": f"{point.accuracy:.6f}", "nll": f"{point.nll:.6f}", "seconds": f"{point.seconds:.2f}"}
    return {**point.params, "state": state, **scores}
