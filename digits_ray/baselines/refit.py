"""Fits the winner of a search on all training rows, and predicts once the rows that it never saw."""

from dataclasses import dataclass

import numpy as np
import ray

from digits_ray.baselines.trial_specs import Params
from digits_ray.baselines.tune_search import SharedImages
from digits_ray.config import BaselineKind
from digits_ray.data import TEST, Rows
from digits_ray.ensemble import Prediction
from digits_ray.scheduling import Plan


@dataclass(frozen=True)
class FitRows:
    """The rows of one fit of a winner, by their positions among all rows."""

    train: np.ndarray  # (train_rows,) int64
    queries: np.ndarray  # (queries,) int64; none of them is trained on


def plan_fits(rows: Rows, validation: np.ndarray) -> list[FitRows]:
    """Plans the fits that predict the held-out rows and the test rows.

    Under k folds a winner is fitted for each fold on the others, and once more on all rows for the test rows. The rows
    that it was chosen on are not scored: their score is the greatest of many.

    Args:
        rows: All rows of the run.
        validation: (validation_rows,) int64 row ids that the winner was chosen on.
    """
    last = int(rows.folds.max())
    if last <= 0:
        return [FitRows(rows.train_index(0), np.concatenate([rows.holdout_index(0), rows.test_index()]))]
    scored = [np.setdiff1d(rows.holdout_index(fold), validation) for fold in range(last + 1)]
    folds = [FitRows(rows.train_index(fold), queries) for fold, queries in enumerate(scored)]
    everything = FitRows(np.flatnonzero(rows.folds != TEST), rows.test_index())
    return [*folds, everything] if len(everything.queries) else folds


class Refit:
    """A winner that is being fitted on the cluster."""

    def __init__(
        self,
        kind: BaselineKind,
        params: Params,
        seed: int,
        rows: Rows,
        fits: list[FitRows],
        images: SharedImages,
        plan: Plan,
    ) -> None:
        """Starts the fits.

        Args:
            kind: The baseline.
            params: The winning configuration.
            seed: Of what is random in it.
            rows: All rows of the run.
            fits: From `plan_fits`.
            images: The rows' images in Ray's object store.
            plan: What each fit gets.
        """
        self._kind, self._rows, self._fits = kind, rows, fits
        task = _fit_predict.options(num_cpus=plan.cpus_per_member, scheduling_strategy="SPREAD")
        reference, labels = images.reference(params), ray.put(rows.labels)
        self._pending = [task.remote(kind, params, seed, reference, labels, fit, plan.threads) for fit in self._fits]

    def result(self) -> tuple[Prediction, float]:
        """Waits for the fits; returns the predictions and the seconds that all fits took together."""
        outputs = ray.get(self._pending)
        queries = np.concatenate([fit.queries for fit in self._fits])
        proba = np.concatenate([output for output, _ in outputs])
        test, ids = self._rows.folds[queries] == TEST, self._rows.row_ids[queries]
        prediction = Prediction(self._kind, ids[~test], proba[~test], ids[test], proba[test])
        return prediction, sum(seconds for _, seconds in outputs)


@ray.remote(max_retries=2)
def _fit_predict(
    kind: BaselineKind, params: Params, seed: int, images: np.ndarray, labels: np.ndarray, fit: FitRows, threads: int
) -> tuple[np.ndarray, float]:
    """Returns (queries, classes) float32 and the seconds taken; `images` and `labels` are of all rows."""
    import time

    from threadpoolctl import threadpool_limits

    from digits_ray.baselines.sweeps import TrainAndQueries, fit_predict

    started = time.monotonic()
    with threadpool_limits(threads):
        rows = TrainAndQueries(images[fit.train], labels[fit.train], images[fit.queries])
        return fit_predict(kind, params, seed, rows, threads), time.monotonic() - started
