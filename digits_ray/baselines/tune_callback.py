"""What the driver keeps of a running search: each trial as it ends, and a line for whoever watches."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ray import tune

from digits_ray.baselines.trial_records import BaselineFiles, TrialRecord
from digits_ray.baselines.trials import BaselineSpec, describe
from digits_ray.progress import SearchStatus

TOLD_SECONDS = 0.5  # how often the view is told


class SearchInterrupted(BaseException):
    """Ends Tune's loop. No Exception: at one, Tune would first ask the cluster to free places."""


@dataclass
class Recorder(tune.Callback):
    """Follows all trials. Tune calls it in the driver, between two of its steps."""

    specs: list[BaselineSpec]
    files: Mapping[str, BaselineFiles]  # by kind
    records: dict[str, TrialRecord]  # of trials that have ended, by key
    on_status: Callable[[list[SearchStatus]], None]
    points: dict[str, dict[str, Any]] = field(default_factory=dict)  # of running trials, by key and configuration
    errors: dict[str, str] = field(default_factory=dict)  # by key
    told: float = 0.0
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.trials = {trial.key: trial for spec in self.specs for trial in spec.trials}

    def __getstate__(self) -> dict[str, Any]:
        """Tune saves what it is given; nothing of this is ever restored."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Notes a point; a trial that starts again after its process died reports its points again."""
        key = trial.config["key"]
        if "error" in result:
            self.errors[key] = result["error"]
        else:
            self.points.setdefault(key, {})[describe(result["point"]["params"])] = result["point"]

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Keeps the trials that have ended, and tells the view.

        Raises:
            SearchInterrupted: `interrupt` has been called.
        """
        for trial in trials:
            if trial.is_finished() and trial.config["key"] not in self.records:
                self._keep(trial)
        if self.interrupted:
            raise SearchInterrupted
        if time.monotonic() - self.told > TOLD_SECONDS:
            self._tell(trials)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Leaves nothing untold."""
        self.on_step_end(0, trials)
        self._tell(trials)

    def interrupt(self) -> None:
        """Ends the search at Tune's next step; called in another thread than Tune's."""
        self.interrupted = True

    def _keep(self, trial: Any) -> None:
        key = trial.config["key"]
        spec, points = self.trials[key], list(self.points.get(key, {}).values())
        error = self.errors.get(key, "") or ("" if trial.status == "TERMINATED" else _reason(trial))
        whole = len(points) == math.prod(len(axis) for axis in spec.sweep.values())
        state = "failed" if error else "done" if whole else "stopped"
        self.records[key] = TrialRecord(spec.params, state, [] if error else points, error)
        if not error:
            self.files[spec.kind].keep_trial(spec, self.records[key])

    def _tell(self, trials: list[Any]) -> None:
        self.told = time.monotonic()
        running = {trial.config["key"] for trial in trials if trial.status == "RUNNING"}
        self.on_status([self._status(spec, running - set(self.records)) for spec in self.specs])

    def _status(self, spec: BaselineSpec, running: set[str]) -> SearchStatus:
        keys = {trial.key for trial in spec.trials}
        records = [record for key, record in self.records.items() if key in keys]
        points = [point for record in records for point in record.points]
        points += [point for key in keys & running for point in self.points.get(key, {}).values()]
        best = min(points, key=lambda point: (-point["accuracy"], point["nll"]), default=None)
        return SearchStatus(
            spec.kind,
            trials=len(keys),
            done=len(records),
            running=len(keys & running),
            failed=sum(record.state == "failed" for record in records),
            best_accuracy=best["accuracy"] if best else None,
            best=describe(best["params"]) if best else "",
        )


def _reason(trial: Any) -> str:
    """Returns the last line of what Tune knows of a trial whose process died."""
    error = trial.get_error()
    return str(error).strip().splitlines()[-1] if error else "the trial's process died"
