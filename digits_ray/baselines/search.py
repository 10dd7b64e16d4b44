"""Searches all baselines of a run together, and refits the winners together."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ray.exceptions import RayTaskError

from digits_ray.baselines.refit import Refit, plan_fits
from digits_ray.baselines.scored_points import ScoredPoint, best_point
from digits_ray.baselines.search_plan import SearchPlan
from digits_ray.baselines.trial_records import TrialRecord
from digits_ray.baselines.trial_specs import BaselineSpec
from digits_ray.baselines.tune_search import SharedImages, TrialInputs, run_trials
from digits_ray.data import Rows
from digits_ray.ensemble import Prediction
from digits_ray.error_cause import root_cause
from digits_ray.progress import SearchStatus
from digits_ray.scheduling import Plan
from digits_ray.storage import RunDirectory


@dataclass(frozen=True)
class SearchOutcome:
    """One baseline's search and its winner."""

    spec: BaselineSpec
    trials: list[TrialRecord]  # in the order of the grid
    best: ScoredPoint | None  # None when every trial failed
    prediction: Prediction | None  # of the refitted winner; None when it could not be refitted either
    fit_seconds: float  # of the winner's fits and predictions
    search_seconds: float  # of this command, for all baselines together
    refit_error: str = ""  # why the winner could not be refitted


def search_baselines(
    specs: list[BaselineSpec],
    search: SearchPlan,
    rows: Rows,
    run: RunDirectory,
    plan_for: Callable[[int], Plan],
    on_status: Callable[[list[SearchStatus]], None] = lambda statuses: None,
) -> Iterator[SearchOutcome]:
    """Searches baselines and yields each with its refitted winner.

    Args:
        specs: The baselines that are missing.
        search: The rows that trials are trained and scored on.
        rows: All rows of the run.
        run: Where finished trials are written.
        plan_for: Plans for a number of trials or fits what each gets.
        on_status: Called with the progress of every search, twice a second.
    """
    started, images = time.monotonic(), SharedImages.put(rows, specs)
    inputs = TrialInputs(images, rows.labels, search.train, search.validation)
    records = run_trials(specs, inputs, run, plan_for, on_status)
    seconds = time.monotonic() - started
    trials = {spec.kind: [records[trial.key] for trial in spec.trials] for spec in specs}
    best = {kind: best_point(point for trial in tried for point in trial.points) for kind, tried in trials.items()}
    fits = plan_fits(rows, search.validation)
    plan = plan_for(len(specs) * len(fits))
    refits = {
        spec.kind: Refit(spec.kind, point.params, spec.trials[0].seed, rows, fits, images, plan)
        for spec in specs
        if (point := best[spec.kind])
    }
    for spec in specs:
        outcome = SearchOutcome(spec, trials[spec.kind], best[spec.kind], None, 0.0, seconds)
        yield _refitted(outcome, refits[spec.kind]) if spec.kind in refits else outcome


def _refitted(outcome: SearchOutcome, refit: Refit) -> SearchOutcome:
    """Waits for the winner's fits; an error of theirs costs this baseline alone."""
    try:
        prediction, seconds = refit.result()
    except RayTaskError as error:
        return replace(outcome, refit_error=str(root_cause(error)))
    return replace(outcome, prediction=prediction, fit_seconds=seconds)
