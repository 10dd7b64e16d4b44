"""All searches as one run of Ray Tune: the same few processes run the trials of every baseline in turn."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from digits_ray.baselines.deskew import deskew
from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.trial_records import SavedBaseline, TrialRecord
from digits_ray.baselines.trial_specs import BaselineSpec, Params, TrialSpec
from digits_ray.baselines.tune_callback import SearchRecorder
from digits_ray.data import Rows
from digits_ray.error_cause import root_cause
from digits_ray.progress import SearchStatus
from digits_ray.scheduling import Plan, run_while_head_lives
from digits_ray.storage import RunDirectory

MAX_DEATHS = 2  # of a trial's process, before the trial is given up
REDUCTION_FACTOR = 2  # ASHA: at each size, the better half of the forests trains on


@dataclass(frozen=True)
class SharedImages:
    """All rows' images in Ray's object store, once for all trials; read in place on the node that holds them."""

    original: Any  # reference to (rows, height, width[, 3]) uint8: the labelled rows, then the test rows
    deskewed: Any  # reference to the same, deskewed; None where no trial needs it

    @classmethod
    def put(cls, rows: Rows, specs: list[BaselineSpec]) -> "SharedImages":
        """Puts the images into the object store; deskewing begins at once."""
        original = ray.put(rows.images)
        needed = any(trial.params["deskew"] for spec in specs for trial in spec.trials)
        return cls(original, _deskew.remote(original) if needed else None)

    def reference(self, params: Params) -> Any:
        """Returns the reference to the images that a configuration needs."""
        return self.deskewed if params["deskew"] else self.original


@ray.remote
def _deskew(images: np.ndarray) -> np.ndarray:
    return deskew(images)


@dataclass(frozen=True)
class TrialInputs:
    """What every trial is trained and scored on."""

    images: SharedImages
    labels: np.ndarray  # (rows,) int32
    train: np.ndarray  # (train_rows,) int64 positions
    validation: np.ndarray  # (validation_rows,) int64 positions


def run_trials(
    specs: list[BaselineSpec],
    inputs: TrialInputs,
    run: RunDirectory,
    plan_for: Callable[[int], Plan],
    on_status: Callable[[list[SearchStatus]], None],
) -> dict[str, TrialRecord]:
    """Runs the trials that are missing and returns those of all baselines, by key.

    Args:
        specs: The baselines.
        inputs: What the trials are trained and scored on.
        run: Where finished trials are written, and read from when the search was interrupted.
        plan_for: Plans for a number of trials what each gets.
        on_status: Called with the progress of every search.

    Raises:
        RunError: the cluster has gone.
    """
    files = {spec.kind: SavedBaseline(run, spec.kind) for spec in specs}
    finished = {key: record for spec in specs for key, record in files[spec.kind].finished_trials(spec).items()}
    recorder = SearchRecorder(specs, files, dict(finished), on_status)
    missing = sum(len(spec.trials) for spec in specs) - len(finished)
    if missing:
        _run_tune(specs, finished, inputs, plan_for(missing), recorder)
    return recorder.records


def _run_tune(
    specs: list[BaselineSpec],
    finished: dict[str, TrialRecord],
    inputs: TrialInputs,
    plan: Plan,
    recorder: SearchRecorder,
) -> None:
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    scheduler, stoppable = _scheduler(specs)
    every = {trial.key: trial for spec in specs for trial in spec.trials}
    # Finished forests report their scores to ASHA again, so that it judges the missing ones as if never interrupted.
    trials = {key: trial for key, trial in every.items() if key not in finished or key in stoppable}
    points = {key: record.points for key, record in finished.items() if key in stoppable}
    trainable = tune.with_parameters(_trainable, trials=trials, finished=points, inputs=inputs, threads=plan.threads)
    # Tune's own files are deleted when it ends; trials.csv is the record.
    with TemporaryDirectory(prefix="digits-ray-tune-", ignore_cleanup_errors=True) as folder:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": plan.cpus_per_member}),
            param_space={"key": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(metric="accuracy", mode="max", scheduler=scheduler, reuse_actors=True),
            run_config=run_config(folder, recorder),
        )
        run_while_head_lives(tuner.fit, recorder.interrupt)


def run_config(folder: str, recorder: SearchRecorder) -> tune.RunConfig:
    """Returns how Tune runs: its files in `folder`, its events to `recorder`, and nothing shown."""
    return tune.RunConfig(
        storage_path=folder,
        callbacks=[recorder],
        failure_config=tune.FailureConfig(max_failures=MAX_DEATHS),
        verbose=0,
        progress_reporter=SilentReporter(),
    )


class SilentReporter(tune.ProgressReporter):
    """Reports nothing. Tune's own for notebooks clears the cell of all that the run has shown, at verbose=0 too."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Returns that there is nothing to report."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: Any) -> None:
        """Reports nothing."""


class _StopPoorForests(ASHAScheduler):
    """ASHA (Li et al. 2020, arXiv:1810.05934) for the forests; other trials have nothing to be stopped at."""

    def __init__(self, stoppable: set[str], sizes: int) -> None:
        super().__init__(max_t=sizes, grace_period=1, reduction_factor=REDUCTION_FACTOR)
        self._stoppable = stoppable

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if trial.config["key"] in self._stoppable:
            super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if trial.config["key"] in self._stoppable and "error" not in result:
            return super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if trial.config["key"] in self._stoppable and "error" not in result:
            super().on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        if trial.config["key"] in self._stoppable:
            super().on_trial_remove(tune_controller, trial)


def _scheduler(specs: list[BaselineSpec]) -> tuple[TrialScheduler | None, set[str]]:
    """Returns the scheduler, and the keys of the trials that it may stop: two or more forests of several sizes."""
    forests = [trial for spec in specs if spec.kind == "forest" for trial in spec.trials]
    sizes = len(forests[0].sweep["trees"]) if forests else 0
    if len(forests) < 2 or sizes < 2:
        return None, set()
    stoppable = {trial.key for trial in forests}
    return _StopPoorForests(stoppable, sizes), stoppable


def _trainable(
    config: Mapping[str, str],
    trials: Mapping[str, TrialSpec],
    finished: Mapping[str, list[ScoredPoint]],
    inputs: TrialInputs,
    threads: int,
) -> None:
    """Runs in a process of its own; reports each point as one iteration, and what went wrong as the last one."""
    trial = trials[config["key"]]
    try:
        for point in finished.get(trial.key) or _score_points(trial, inputs, threads):
            tune.report({"accuracy": point.accuracy, "point": asdict(point)})
    except Exception as error:
        tune.report({"accuracy": 0.0, "error": str(root_cause(error))})


def _score_points(trial: TrialSpec, inputs: TrialInputs, threads: int) -> Iterator[ScoredPoint]:
    from threadpoolctl import threadpool_limits

    from digits_ray.baselines.sweeps import TrainAndQueries, sweep  # scikit-learn, in this process alone

    images, train, validation = ray.get(inputs.images.reference(trial.params)), inputs.train, inputs.validation
    rows = TrainAndQueries(images[train], inputs.labels[train], images[validation])
    with threadpool_limits(threads):
        yield from sweep(trial, rows, inputs.labels[validation], threads)
