"""The classical baselines: nearest neighbours, a decision tree and forests, each searched by Ray Tune.

The straight line is `trials` (the grid) → `search` (scored on validation rows) → `refit` (the winner, on all training
rows, scored once). `sweeps` and `neighbours` hold what one trial does and know no Ray.
"""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.baselines.outcomes import BaselineResults
    from digits_ray.baselines.search_plan import SearchPlan, plan_search
    from digits_ray.baselines.searching import find_baselines
    from digits_ray.baselines.trials import BaselineSpec, describe

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "outcomes": ["BaselineResults"],
        "search_plan": ["SearchPlan", "plan_search"],
        "searching": ["find_baselines"],
        "trials": ["BaselineSpec", "describe"],
    },
)
