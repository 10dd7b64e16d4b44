"""`run`, `tune` and `distil` as Python calls them: they show their progress, unless callbacks are given."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from digits_ray import runs
from digits_ray.config import Config

Stages = TypeVar("Stages", bound=Callable[..., Any])


def with_progress(stages: Stages) -> Stages:
    """Has a function show its progress where it is given no callbacks; an empty list of them counts as given."""

    @wraps(stages)
    def shown(*given: Any, **inputs: Any) -> Any:
        from digits_ray.cli.terminal import ProgressCallback

        by_position = given[1:2]  # the callbacks of `run` and `tune`
        if any(each is not None for each in (*by_position, inputs.get("callbacks"), inputs.get("view"))):
            return stages(*given, **inputs)
        progress = ProgressCallback(report=inputs.get("report", True))
        if by_position:
            given = (given[0], [progress], *given[2:])
        else:
            inputs["callbacks"] = [progress]
        try:
            finished = stages(*given, **inputs)
        except KeyboardInterrupt as interrupt:
            if progress.config is not None:
                interrupt.add_note(how_to_continue(progress.config))
            raise
        progress.show_results(finished)
        return finished

    return cast(Stages, shown)


def how_to_continue(config: Config) -> str:
    """Returns what an interrupted call leaves behind, and how to go on."""
    from digits_ray.cli.interrupts import KEPT

    where = "" if config.members.teachers else f" with out={str(config.out)!r}"  # `distil` chooses its own
    return f"{KEPT}: the same call{where} continues."


run = with_progress(runs.run)
tune = with_progress(runs.tune)
distil = with_progress(runs.distil)
