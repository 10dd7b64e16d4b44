"""The winner of a search, fitted on all training rows and asked once for the rows that it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray

from digits_ray.baselines.search import SharedPixels
from digits_ray.baselines.trials import Kind
from digits_ray.data import TEST, Rows
from digits_ray.ensemble import Prediction
from digits_ray.scheduling import Plan


@dataclass(frozen=True)
class Fit:
    """One fit of a winner, by positions among all rows."""

    train: np.ndarray  # (train_rows,) int64
    ask: np.ndarray  # (asked_rows,) int64; none of them is trained on


def fits_of(rows: Rows, chosen_on: np.ndarray) -> list[Fit]:
    """Returns the fits that score the held-out rows and the test rows.

    Under k folds a winner is fitted for each fold on the others, and once more on all rows for the test rows. The rows
    that it was chosen on are not scored: their score is the greatest of many.

    Args:
        rows: All rows of the run.
        chosen_on: (validation_rows,) int64 row ids.
    """
    last = int(rows.folds.max())
    if last <= 0:
        return [Fit(rows.train_index(0), np.concatenate([rows.holdout_index(0), rows.test_index()]))]
    scored = [np.setdiff1d(rows.holdout_index(fold), chosen_on) for fold in range(last + 1)]
    folds = [Fit(rows.train_index(fold), ask) for fold, ask in enumerate(scored)]
    everything = Fit(np.flatnonzero(rows.folds != TEST), rows.test_index())
    return [*folds, everything] if len(everything.ask) else folds


class Refit:
    """A winner that is being fitted on the cluster."""

    def __init__(
        self,
        kind: Kind,
        params: Mapping[str, Any],
        seed: int,
        rows: Rows,
        fits: list[Fit],
        pixels: SharedPixels,
        share: Plan,
    ) -> None:
        """Starts the fits.

        Args:
            kind: The baseline.
            params: The winning configuration.
            seed: Of what is random in it.
            rows: All rows of the run.
            fits: From `fits_of`.
            pixels: The same images in Ray's object store.
            share: What each fit gets.
        """
        self._kind, self._rows, self._fits = kind, rows, fits
        task = _fit_predict.options(num_cpus=share.cpus_per_member, scheduling_strategy="SPREAD")
        images, labels = pixels.reference(params), ray.put(rows.labels)
        self._pending = [task.remote(kind, params, seed, images, labels, fit, share.threads) for fit in self._fits]

    def result(self) -> tuple[Prediction, float]:
        """Waits for the fits; returns the predictions and the seconds that all fits took together."""
        answers = ray.get(self._pending)
        asked = np.concatenate([fit.ask for fit in self._fits])
        proba = np.concatenate([answer for answer, _ in answers])
        test, ids = self._rows.folds[asked] == TEST, self._rows.row_ids[asked]
        prediction = Prediction(self._kind, ids[~test], proba[~test], ids[test], proba[test])
        return prediction, sum(seconds for _, seconds in answers)


@ray.remote(max_retries=2)
def _fit_predict(
    kind: Kind, params: Mapping[str, Any], seed: int, images: np.ndarray, labels: np.ndarray, fit: Fit, threads: int
) -> tuple[np.ndarray, float]:
    """Returns (asked_rows, classes) float32 and the seconds taken; `images` and `labels` are all rows'."""
    import time

    from threadpoolctl import threadpool_limits

    from digits_ray.baselines.sweeps import Part, fit_predict

    started = time.monotonic()
    with threadpool_limits(threads):
        part = Part(images[fit.train], labels[fit.train], images[fit.ask])
        return fit_predict(kind, params, seed, part, threads), time.monotonic() - started
