"""The rows of the winners' fits."""

from dataclasses import replace

import numpy as np
from factories import rows_of

from digits_ray.baselines.refit import plan_fits


def test_under_k_folds_no_row_is_scored_by_a_fit_that_saw_it_or_was_chosen_on_it() -> None:
    rows = rows_of()
    folds = rows.folds.copy()
    folds[:120] = np.arange(120) % 3
    fits = plan_fits(replace(rows, folds=folds), validation=np.array([5, 70]))
    assert len(fits) == 4
    assert sorted(np.concatenate([fit.queries for fit in fits])) == sorted(set(range(132)) - {5, 70})
    assert all(not set(fit.train) & set(fit.queries) for fit in fits)
