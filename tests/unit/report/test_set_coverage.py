"""Coverage and sizes of prediction sets, on rows that did not calibrate them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_runs import invented_proba, make_run

from digits_ray.report.run_contents import read_run
from digits_ray.report.set_coverage import coverage_table, cross_fitted_coverage

LABELS = np.arange(2000) % 5


def test_coverage_is_near_the_level_where_the_accuracy_is_below_it() -> None:
    proba = invented_proba(LABELS, 5, 0.8, seed=3)
    accuracy = (proba.argmax(axis=1) == LABELS).mean()
    coverage = cross_fitted_coverage(proba, LABELS, 0.95, seed=0)
    assert accuracy < 0.8
    assert coverage.rows == 2000 and 0.93 < coverage.covered / 2000 < 0.97
    assert 1 < coverage.mean_size < coverage.largest <= 5
    assert coverage.single < 2000


def test_no_row_calibrates_its_own_set() -> None:
    """Each half holds a mistake of a kind that the other half has never seen: had it, both would be covered."""
    proba, labels = np.tile([0.99, 0.01], (38, 1)), np.zeros(38, int)
    for row in range(38):
        labels[:], labels[row] = 0, 1
        assert cross_fitted_coverage(proba, labels, 0.95, seed=0).covered == 37


def test_the_same_seed_gives_the_same_halves() -> None:
    proba = invented_proba(LABELS, 5, 0.8, seed=3)
    assert cross_fitted_coverage(proba, LABELS, 0.9, 7) == cross_fitted_coverage(proba, LABELS, 0.9, 7)
    assert cross_fitted_coverage(proba, LABELS, 0.9, 7) != cross_fitted_coverage(proba, LABELS, 0.9, 8)


@pytest.mark.parametrize(
    ("settings", "levels", "note"),
    [
        ({"labelled": 4000}, ["90 %", "95 %", "99 %"], "Higher levels than 99 % take more rows."),
        ({"labelled": 240}, ["90 %"], "tried out on 24 held-out rows"),
        ({"labelled": 240, "split__scheme": "kfold", "split__folds": 3}, ["90 %", "95 %", "99 %"], "CV+ instead"),
    ],
)
def test_the_levels_that_half_of_the_rows_can_calibrate_are_in_the_table(
    tmp_path: Path, settings: dict[str, Any], levels: list[str], note: str
) -> None:
    run = read_run(make_run(tmp_path / "run", models=False, baselines=False, **settings))
    assert run.holdout
    table = coverage_table(run.holdout, run.config)
    assert table and [row[0] for row in table.rows] == levels and note in table.note


def test_too_few_rows_for_any_level_make_no_table(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", models=False, baselines=False, labelled=100))
    assert run.holdout and len(run.holdout.labels) == 10
    assert coverage_table(run.holdout, run.config) is None
