"""`run`, `tune` and `distil` as Python calls them: they show their progress, unless callbacks are given."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from digits_ray import runs

Stages = TypeVar("Stages", bound=Callable[..., Any])


def with_progress(stages: Stages) -> Stages:
    """Has a function show its progress where it is given no callbacks; an empty list of them counts as given."""

    @wraps(stages)
    def shown(*given: Any, **inputs: Any) -> Any:
        from digits_ray.cli.terminal import ProgressCallback

        callbacks = given[1] if len(given) > 1 else inputs.get("callbacks")
        if callbacks is None and inputs.get("view") is None:
            given, inputs["callbacks"] = given[:1], [ProgressCallback()]
        return stages(*given, **inputs)

    return cast(Stages, shown)


run = with_progress(runs.run)
tune = with_progress(runs.tune)
distil = with_progress(runs.distil)
