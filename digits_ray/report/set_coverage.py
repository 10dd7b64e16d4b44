"""How often prediction sets hold the true class, and how large they are: tried out on held-out rows."""

from dataclasses import dataclass

import numpy as np

from digits_ray.config import Config
from digits_ray.ensemble import accuracy_ci95, conformal
from digits_ray.errors import UserError
from digits_ray.report.formatting import percent
from digits_ray.report.run_contents import HoldoutPrediction
from digits_ray.report.tables import Table

LEVELS = (0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class SetCoverage:
    """Prediction sets of one level, of rows that did not calibrate them."""

    level: float
    rows: int
    covered: int  # of these rows: the true class is in the set
    mean_size: float  # classes in a set
    single: int  # rows whose set is one class
    largest: int  # classes in the largest set


def cross_fitted_coverage(proba: np.ndarray, labels: np.ndarray, level: float, seed: int) -> SetCoverage:
    """Calibrates on a random half of the rows and scores the sets of the other half, and the other way round.

    The rows that calibrate are covered as often as the level says by construction, which proves nothing.

    Args:
        proba: (rows, classes), of models that never saw the rows.
        labels: (rows,) int.
        level: Of the coverage, between 0 and 1.
        seed: Of the halves.

    Raises:
        UserError: the level takes more rows than half of them.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    halves = np.array_split(order, 2)
    sets = np.empty(proba.shape, bool)
    for calibrating, scored in (halves, halves[::-1]):
        threshold = conformal.calibrate(proba[calibrating], labels[calibrating], level)
        sets[scored] = conformal.sets(proba[scored], threshold)
    sizes = sets.sum(axis=1)
    covered = int(sets[np.arange(len(labels)), labels].sum())
    return SetCoverage(level, len(labels), covered, float(sizes.mean()), int((sizes == 1).sum()), int(sizes.max()))


def coverage_table(holdout: HoldoutPrediction, config: Config) -> Table | None:
    """Coverage and sizes at those LEVELS that half of the held-out rows can calibrate; None where there is none."""
    coverages = []
    for level in LEVELS:
        try:
            coverages.append(cross_fitted_coverage(holdout.proba, holdout.labels, level, config.seed))
        except UserError:  # too few rows
            break
    if not coverages:
        return None
    columns = ("Level", "True class in the set", "95 % interval", "Classes on average", "Single class", "Largest set")
    return Table("Prediction sets", columns, [_line(coverage) for coverage in coverages], _note(coverages, config))


def _line(coverage: SetCoverage) -> list[str]:
    low, high = accuracy_ci95(coverage.covered, coverage.rows)
    return [
        f"{100 * coverage.level:g} %",
        percent(coverage.covered / coverage.rows),
        f"{100 * low:.2f}–{100 * high:.2f} %",
        f"{coverage.mean_size:.3f}",
        percent(coverage.single / coverage.rows),
        str(coverage.largest),
    ]


def _note(coverages: list[SetCoverage], config: Config) -> str:
    note = (
        f"Conformal prediction (digits-ray predict --sets), tried out on {coverages[0].rows:,} held-out rows: a random "
        "half calibrates the sets of the other half, and the other way round, so no row scores a threshold that it "
        "helped to set. A set always holds the predicted class, so it covers no less than the accuracy."
    )
    if config.split.scheme == "kfold":
        note += " Sets of new images are made by CV+ instead, by the members of each fold."
    if config.ensemble.include_baselines:
        note += " Baselines vote here, but not in predict."
    if len(coverages) < len(LEVELS):
        note += f" Higher levels than {100 * coverages[-1].level:g} % take more rows."
    return note
