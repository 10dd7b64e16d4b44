"""What the driver records of a running search: each trial as it ends, and the progress of every search."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ray import tune

from digits_ray.baselines.scored_points import ScoredPoint, best_point
from digits_ray.baselines.trial_records import SavedBaseline, TrialRecord, TrialState
from digits_ray.baselines.trial_specs import BaselineSpec, TrialSpec, describe
from digits_ray.error_cause import cause_in_text
from digits_ray.progress import SearchStatus

STATUS_SECONDS = 0.5  # at least, between two reports of the progress


class SearchInterrupted(BaseException):
    """Ends Tune's loop. Not an Exception: at one, Tune would first ask the cluster to free resources."""


@dataclass
class SearchRecorder(tune.Callback):
    """Follows all trials. Tune calls it in the driver, between two of its steps."""

    specs: list[BaselineSpec]
    files: Mapping[str, SavedBaseline]  # by kind
    records: dict[str, TrialRecord]  # of trials that have ended, by key
    on_status: Callable[[list[SearchStatus]], None]
    points: dict[str, dict[str, ScoredPoint]] = field(default_factory=dict)  # by trial's key and configuration
    errors: dict[str, str] = field(default_factory=dict)  # by trial's key
    last_status: float = 0.0  # time.monotonic() of the last report
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.trials = {trial.key: trial for spec in self.specs for trial in spec.trials}

    def __getstate__(self) -> dict[str, Any]:
        """Tune saves what it is given; nothing of this is ever restored."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Records a point; a trial that starts again after its process died reports its points again."""
        key = trial.config["key"]
        if "error" in result:
            self.errors[key] = result["error"]
        else:
            point = ScoredPoint(**result["point"])
            self.points.setdefault(key, {})[describe(point.params)] = point

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Records the trials that have ended, and reports the progress.

        Raises:
            SearchInterrupted: `interrupt` has been called.
        """
        for trial in trials:
            if trial.is_finished() and trial.config["key"] not in self.records:
                self._record_trial(trial)
        if self.interrupted:
            raise SearchInterrupted
        if time.monotonic() - self.last_status > STATUS_SECONDS:
            self._report_status(trials)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Records and reports what is left."""
        self.on_step_end(0, trials)
        self._report_status(trials)

    def interrupt(self) -> None:
        """Ends the search at Tune's next step; called in another thread than Tune's."""
        self.interrupted = True

    def _record_trial(self, trial: Any) -> None:
        key = trial.config["key"]
        spec, points = self.trials[key], list(self.points.get(key, {}).values())
        error = self.errors.get(key, "") or ("" if trial.status == "TERMINATED" else _death_message(trial))
        self.records[key] = TrialRecord(spec.params, _state(spec, points, error), [] if error else points, error)
        if not error:
            self.files[spec.kind].write_trial(spec, self.records[key])

    def _report_status(self, trials: list[Any]) -> None:
        self.last_status = time.monotonic()
        running = {trial.config["key"] for trial in trials if trial.status == "RUNNING"}
        self.on_status([self._status(spec, running - set(self.records)) for spec in self.specs])

    def _status(self, spec: BaselineSpec, running: set[str]) -> SearchStatus:
        keys = {trial.key for trial in spec.trials}
        records = [record for key, record in self.records.items() if key in keys]
        points = [point for record in records for point in record.points]
        points += [point for key in keys & running for point in self.points.get(key, {}).values()]
        best = best_point(points)
        return SearchStatus(
            spec.kind,
            trials=len(keys),
            done=len(records),
            running=len(keys & running),
            failed=sum(record.state == "failed" for record in records),
            best_accuracy=best.accuracy if best else None,
            best=describe(best.params) if best else "",
        )


def _state(spec: TrialSpec, points: list[ScoredPoint], error: str) -> TrialState:
    if error:
        return "failed"
    return "done" if len(points) == math.prod(map(len, spec.sweep.values())) else "stopped"


def _death_message(trial: Any) -> str:
    """Returns what Tune knows of a trial whose process died, or could not start."""
    error = trial.get_error()
    if error is None:
        return "the trial's process died"
    cause = cause_in_text(str(error))
    return str(cause) if cause else (str(error).strip() or type(error).__name__).splitlines()[-1]
