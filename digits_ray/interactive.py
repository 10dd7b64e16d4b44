"""`run` and `tune` as Python calls them: in a notebook, the cell shows their progress, unless callbacks are given."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from digits_ray import runs

Stages = TypeVar("Stages", bound=Callable[..., Any])


def shown_in_cell(stages: Stages) -> Stages:
    """Has a function on a configuration show its progress in the cell of a notebook."""

    @wraps(stages)
    def shown(config: Any, *callbacks: Any, **inputs: Any) -> Any:
        from digits_ray.cli.terminal.cell_progress import CellProgress, in_notebook

        if not callbacks and not {"callbacks", "view"} & inputs.keys() and in_notebook():
            callbacks = ([CellProgress(config)],)
        return stages(config, *callbacks, **inputs)

    return cast(Stages, shown)


run = shown_in_cell(runs.run)
tune = shown_in_cell(runs.tune)
