"""Where output goes, and how much of it: a terminal, a log, the cell of a notebook, or nothing but warnings."""

import sys
from typing import TextIO, cast

from rich.console import Console
from rich.text import Text

from digits_ray.cli.streams import LossyStderr
from digits_ray.cli.terminal.cell_progress import CellProgress, in_notebook
from digits_ray.cli.terminal.live_progress import LiveProgress
from digits_ray.cli.terminal.log_progress import LogProgress, QuietProgress
from digits_ray.config import Config
from digits_ray.runs import CallbackList, Run, RunCallback

LOG_WIDTH = 120  # columns, where there is no terminal to ask


def console(stderr: bool = False) -> Console:
    """Returns what prints to stdout, or to stderr."""
    file = cast(TextIO, LossyStderr(sys.stderr)) if stderr and sys.stderr is not None else None
    output = Console(file=file, stderr=stderr, highlight=False)
    if not output.is_terminal:
        output.width = LOG_WIDTH
    return output


class ProgressCallback(CallbackList):
    """Shows the progress of a run, as `digits-ray run` does.

    On stderr: a live table where that is a terminal, lines where it is not. In a notebook: in the cell.
    """

    def __init__(self, quiet: bool = False, report: bool = True) -> None:
        """Takes how much is shown.

        Args:
            quiet: Whether warnings alone are shown.
            report: Whether the run draws its report, which is announced.
        """
        super().__init__(())
        self.config: Config | None = None  # the run's, once it is known
        self._quiet, self._report = quiet, report

    def on_settings(self, config: Config) -> None:
        """Chooses what shows all that follows."""
        self.config = config
        self.callbacks = (_progress(config, self._quiet, self._report),)

    def show_results(self, finished: Run) -> None:
        """Shows where the results of a run are, and how good; a cell shows that by itself."""
        if not in_notebook() and not self._quiet:
            console(stderr=True).print(Text(repr(finished).strip("<>")), soft_wrap=True)


def _progress(config: Config, quiet: bool, report: bool) -> RunCallback:
    if in_notebook() and not quiet:
        return CellProgress(config, report)
    output = console(stderr=True)
    kind = QuietProgress if quiet else LiveProgress if output.is_terminal else LogProgress
    return kind(output, config, report=report)
