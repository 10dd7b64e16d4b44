"""All searches as one run of Ray Tune: the same few processes take the trials of every baseline in turn."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from digits_ray.baselines.deskew import deskew
from digits_ray.baselines.trial_records import BaselineFiles, TrialRecord
from digits_ray.baselines.trials import BaselineSpec, TrialSpec
from digits_ray.baselines.tune_callback import Recorder
from digits_ray.data import Rows
from digits_ray.progress import SearchStatus
from digits_ray.scheduling import Plan, run_while_head_lives
from digits_ray.storage import RunDirectory

DEATHS = 2  # of a trial's process, before the trial is given up
HALVING = 2  # ASHA: at each size, the better half of the forests goes on


@dataclass(frozen=True)
class SharedPixels:
    """All rows' images in Ray's object store, once for all trials; read in place on the node that holds them."""

    plain: Any  # reference to (rows, height, width) uint8: the labelled rows, then the test rows
    upright: Any  # reference to the same, deskewed; None where no trial wants it

    @classmethod
    def of(cls, rows: Rows, specs: list[BaselineSpec]) -> "SharedPixels":
        """Puts the images into the object store; deskewing begins at once."""
        plain = ray.put(rows.images)
        wanted = any(trial.params["deskew"] for spec in specs for trial in spec.trials)
        return cls(plain, _deskew.remote(plain) if wanted else None)

    def reference(self, params: Mapping[str, Any]) -> Any:
        """Returns the reference of the images that a configuration wants."""
        return self.upright if params["deskew"] else self.plain


@ray.remote
def _deskew(images: np.ndarray) -> np.ndarray:
    return deskew(images)


@dataclass(frozen=True)
class SearchRows:
    """What every trial is given."""

    pixels: SharedPixels
    labels: np.ndarray  # (rows,) int32
    train: np.ndarray  # (train_rows,) int64 positions
    validation: np.ndarray  # (validation_rows,) int64 positions


def run_trials(
    specs: list[BaselineSpec],
    rows: SearchRows,
    run: RunDirectory,
    plan: Callable[[int], Plan],
    on_status: Callable[[list[SearchStatus]], None],
) -> dict[str, TrialRecord]:
    """Runs the trials that are missing and returns those of all baselines, by key.

    Args:
        specs: The baselines.
        rows: What the trials are trained and scored on.
        run: Where finished trials are kept, and taken from when the search was interrupted.
        plan: Asked with the number of trials for what each gets.
        on_status: Told how each search goes on.

    Raises:
        RunError: the cluster has gone.
    """
    files = {spec.kind: BaselineFiles(run, spec.kind) for spec in specs}
    known = {key: record for spec in specs for key, record in files[spec.kind].known_trials(spec).items()}
    recorder = Recorder(specs, files, dict(known), on_status)
    missing = sum(len(spec.trials) for spec in specs) - len(known)
    if missing:
        _fit(specs, known, rows, plan(missing), recorder)
    return recorder.records


def _fit(
    specs: list[BaselineSpec],
    known: dict[str, TrialRecord],
    rows: SearchRows,
    plan: Plan,
    recorder: Recorder,
) -> None:
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    scheduler, judged = _scheduler(specs)
    # Known forests tell ASHA their scores again, so that it judges the missing ones as if nothing had happened.
    trials = {one.key: one for spec in specs for one in spec.trials if one.key not in known or one.key in judged}
    points = {key: record.points for key, record in known.items() if key in judged}
    trainable = tune.with_parameters(_trial, trials=trials, known=points, rows=rows, threads=plan.threads)
    # Tune's own files, for as long as it runs; trials.csv is the record.
    with TemporaryDirectory(prefix="digits-ray-tune-", ignore_cleanup_errors=True) as folder:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": plan.cpus_per_member}),
            param_space={"key": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(metric="accuracy", mode="max", scheduler=scheduler, reuse_actors=True),
            run_config=tune.RunConfig(
                storage_path=folder,
                callbacks=[recorder],
                failure_config=tune.FailureConfig(max_failures=DEATHS),
                verbose=0,
            ),
        )
        run_while_head_lives(tuner.fit, recorder.interrupt)


class _StopPoorForests(ASHAScheduler):
    """ASHA (Li et al. 2020, arXiv:1810.05934) for the forests; other trials have nothing to be stopped at."""

    def __init__(self, judged: set[str], sizes: int) -> None:
        super().__init__(max_t=sizes, grace_period=1, reduction_factor=HALVING)
        self._judged = judged

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if trial.config["key"] in self._judged:
            super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if trial.config["key"] in self._judged and "error" not in result:
            return super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if trial.config["key"] in self._judged and "error" not in result:
            super().on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        if trial.config["key"] in self._judged:
            super().on_trial_remove(tune_controller, trial)


def _scheduler(specs: list[BaselineSpec]) -> tuple[TrialScheduler | None, set[str]]:
    """Returns the scheduler, and the keys of the trials that it may stop: two or more forests of several sizes."""
    forests = [trial for spec in specs if spec.kind == "forest" for trial in spec.trials]
    sizes = len(forests[0].sweep["trees"]) if forests else 0
    if len(forests) < 2 or sizes < 2:
        return None, set()
    judged = {trial.key for trial in forests}
    return _StopPoorForests(judged, sizes), judged


def _trial(
    config: Mapping[str, str],
    trials: Mapping[str, TrialSpec],
    known: Mapping[str, list[dict[str, Any]]],
    rows: SearchRows,
    threads: int,
) -> None:
    """Runs in a process of its own; reports each point as one iteration, and what went wrong as the last one."""
    trial = trials[config["key"]]
    try:
        for point in known.get(trial.key) or _points(trial, rows, threads):
            tune.report({"accuracy": point["accuracy"], "point": point})
    except Exception as error:
        tune.report({"accuracy": 0.0, "error": f"{type(error).__name__}: {error}"})


def _points(trial: TrialSpec, rows: SearchRows, threads: int) -> Iterator[dict[str, Any]]:
    from threadpoolctl import threadpool_limits

    from digits_ray.baselines.sweeps import Part, sweep  # scikit-learn, in this process alone

    images = ray.get(rows.pixels.reference(trial.params))
    part = Part(images[rows.train], rows.labels[rows.train], images[rows.validation])
    with threadpool_limits(threads):
        for point in sweep(trial, part, rows.labels[rows.validation], threads):
            yield vars(point)
