"""A baseline's files in the run directory: what is finished, and what an interrupted search already knows."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from digits_ray.baselines.trials import BaselineSpec, Kind, TrialSpec
from digits_ray.ensemble import Prediction
from digits_ray.storage import RunDirectory


@dataclass
class TrialRecord:
    """What became of one trial."""

    params: dict[str, Any]
    state: str  # "done", "stopped" (it was poor) or "failed"
    points: list[dict[str, Any]] = field(default_factory=list)  # of sweeps.Point, in order
    error: str = ""


class BaselineFiles:
    """The files of one baseline."""

    def __init__(self, run: RunDirectory, kind: Kind) -> None:
        self._folder = run.baseline(kind)

    def result(self, spec: BaselineSpec) -> dict[str, Any] | None:
        """Returns the finished baseline's result.json, or None when it (as this spec has it) is not finished."""
        result = self.any_result()
        return result if result and result.get("spec_hash") == spec.key else None

    def any_result(self) -> dict[str, Any] | None:
        """Returns result.json, or None when it is missing."""
        return self._folder.result()

    def prediction(self) -> Prediction | None:
        """Returns the finished baseline's predictions, or None when they are missing or damaged."""
        return self._folder.prediction()

    def known_trials(self, spec: BaselineSpec) -> dict[str, TrialRecord]:
        """Returns the finished trials of an interrupted search, by key."""
        found = {trial.key: self._folder.read_trial(trial.key) for trial in spec.trials}
        return {key: TrialRecord(**values) for key, values in found.items() if values}

    def keep_trial(self, trial: TrialSpec, record: TrialRecord) -> None:
        """Writes a finished trial, so that a search that is killed does not run it again."""
        self._folder.write_trial(trial.key, vars(record))

    def keep(self, result: Mapping[str, Any], trials: Sequence[TrialRecord], prediction: Prediction) -> None:
        """Writes a finished baseline's files, result.json last, and drops what an interrupted search needs."""
        self._folder.write(result, trials_csv(trials), prediction)


def trials_csv(trials: Sequence[TrialRecord]) -> str:
    """Returns a line for every point, the winner first, and for every trial that failed."""
    points = [(trial.state, point) for trial in trials for point in trial.points]
    points.sort(key=lambda scored: (-scored[1]["accuracy"], scored[1]["nll"]))  # of equals the first of the grid
    rows: list[dict[str, Any]] = [
        {**point["params"], "state": state, "accuracy": f"{point['accuracy']:.6f}", "nll": f"{point['nll']:.6f}",
         "seconds": f"{point['seconds']:.2f}"}
        for state, point in points
    ]  # fmt: skip
    rows += [
        {**trial.params, "state": trial.state, "error": trial.error} for trial in trials if trial.state == "failed"
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    table = csv.DictWriter(text, [*(name for name in columns if name != "error"), "error"], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
