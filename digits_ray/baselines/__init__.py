"""The classical baselines: nearest neighbours, a decision tree and forests, each searched by Ray Tune.

The straight line is `search_plan` (the grid of `trial_specs`, and the rows) → `search` → `results`. `search` is
`tune_search` (every trial, scored on validation rows) → `refit` (the winner, on all training rows, scored once).
`sweeps`, `neighbours` and `deskew` hold what one trial does, and know no Ray; `trial_records` knows the files.
"""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.baselines.results import BaselineResults
    from digits_ray.baselines.search import search_baselines
    from digits_ray.baselines.search_plan import SearchPlan, plan_search
    from digits_ray.baselines.trial_specs import BaselineSpec, describe, is_colour

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "results": ["BaselineResults"],
        "search": ["search_baselines"],
        "search_plan": ["SearchPlan", "plan_search"],
        "trial_specs": ["BaselineSpec", "describe", "is_colour"],
    },
)
