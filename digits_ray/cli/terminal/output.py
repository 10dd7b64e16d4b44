"""Where output goes, and how much of it: a person's terminal, a log, or nothing but warnings."""

from rich.console import Console

from digits_ray.cli.terminal.live_progress import LiveProgress
from digits_ray.cli.terminal.log_progress import LogProgress, QuietProgress
from digits_ray.config import Config
from digits_ray.runs import RunCallback

LOG_WIDTH = 120  # columns, where there is no terminal to ask


def console(stderr: bool = False) -> Console:
    """Returns what prints to stdout, or to stderr."""
    output = Console(stderr=stderr, highlight=False)
    if not output.is_terminal:
        output.width = LOG_WIDTH
    return output


def progress_callback(config: Config, quiet: bool) -> RunCallback:
    """Returns what shows a run's progress: a live table on a terminal, lines in a log, or warnings alone."""
    output = console(stderr=True)
    kind = QuietProgress if quiet else LiveProgress if output.is_terminal else LogProgress
    return kind(output, config)
