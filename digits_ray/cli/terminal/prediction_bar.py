"""How far a prediction is, for people at a terminal; a pipe or a file is told nothing."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

COLUMNS = "[progress.description]{task.description}", "{task.completed:,.0f} of {task.total:,.0f}"


@contextmanager
def prediction_progress(rows: int) -> Iterator[Callable[[int], None]]:
    """Gives what is to be called with the number of rows that are done, which draws a bar until all are.

    It is drawn on what stderr is now, so that it is seen while what libraries write there is kept away.

    Args:
        rows: In all.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal:
        name, count = map(TextColumn, COLUMNS)
        bar = Progress(name, BarColumn(), count, TimeRemainingColumn(), console=Console(file=terminal), transient=True)
        task = bar.add_task("predicting", total=rows)

        def show(done: int) -> None:
            if done < rows or bar.live.is_started:  # nothing is drawn where the first batch holds all rows
                bar.start()
            bar.update(task, completed=done)

        try:
            yield show
        finally:
            bar.stop()
