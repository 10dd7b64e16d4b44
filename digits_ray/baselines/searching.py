"""All baselines of a run: searched together, the winners refitted together, each handed on as it is ready."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from digits_ray.baselines.refit import Refit, fits_of
from digits_ray.baselines.search import SearchRows, SharedPixels, run_trials
from digits_ray.baselines.search_plan import SearchPlan
from digits_ray.baselines.trial_records import TrialRecord
from digits_ray.baselines.trials import BaselineSpec
from digits_ray.data import Rows
from digits_ray.ensemble import Prediction
from digits_ray.progress import SearchStatus
from digits_ray.scheduling import Plan
from digits_ray.storage import RunDirectory


@dataclass(frozen=True)
class FoundBaseline:
    """One baseline's search and its winner."""

    spec: BaselineSpec
    trials: list[TrialRecord]  # in the order of the grid
    best: dict[str, Any] | None  # the best point; None when every trial failed
    prediction: Prediction | None  # of the refitted winner
    fit_seconds: float  # of the winner's fits and predictions
    search_seconds: float  # of this command, for all baselines together


def find_baselines(
    specs: list[BaselineSpec],
    search: SearchPlan,
    rows: Rows,
    run: RunDirectory,
    plan: Callable[[int], Plan],
    on_status: Callable[[list[SearchStatus]], None] = lambda statuses: None,
) -> Iterator[FoundBaseline]:
    """Searches baselines and yields each with its refitted winner.

    Args:
        specs: The baselines that are missing.
        search: The rows that trials are trained and scored on.
        rows: All rows of the run.
        run: Where finished trials are kept.
        plan: Asked with a number of trials or fits for what each gets.
        on_status: Told how each search goes on, twice a second.
    """
    started, pixels = time.monotonic(), SharedPixels.of(rows, specs)
    shared = SearchRows(pixels, rows.labels, search.train, search.validation)
    records = run_trials(specs, shared, run, plan, on_status)
    seconds = time.monotonic() - started
    trials = {spec.kind: [records[trial.key] for trial in spec.trials] for spec in specs}
    best = {kind: best_point(tried) for kind, tried in trials.items()}
    fits = fits_of(rows, search.validation)
    share = plan(len(specs) * len(fits))
    refits = {
        spec.kind: Refit(spec.kind, point["params"], spec.trials[0].seed, rows, fits, pixels, share)
        for spec in specs
        if (point := best[spec.kind])
    }
    for spec in specs:
        prediction, fit_seconds = refits[spec.kind].result() if spec.kind in refits else (None, 0.0)
        yield FoundBaseline(spec, trials[spec.kind], best[spec.kind], prediction, fit_seconds, seconds)


def best_point(trials: list[TrialRecord]) -> dict[str, Any] | None:
    """Returns the most accurate point on the validation rows; of equals the lower NLL, then the first of the grid."""
    points = [point for trial in trials for point in trial.points]
    return min(points, key=lambda point: (-point["accuracy"], point["nll"]), default=None)
