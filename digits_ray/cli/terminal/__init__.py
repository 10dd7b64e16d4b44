"""What the terminal shows: the progress of a run, its results, the status of a run directory."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.cli.terminal.facts import facts_table
    from digits_ray.cli.terminal.live_progress import LiveProgress
    from digits_ray.cli.terminal.log_progress import LogProgress, QuietProgress
    from digits_ray.cli.terminal.output import ProgressCallback, console
    from digits_ray.cli.terminal.prediction_bar import prediction_progress
    from digits_ray.cli.terminal.presets_screen import presets_table
    from digits_ray.cli.terminal.screens import comparison_screen, files_written, last_screen, status_screen

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "facts": ["facts_table"],
        "live_progress": ["LiveProgress"],
        "log_progress": ["LogProgress", "QuietProgress"],
        "output": ["ProgressCallback", "console"],
        "prediction_bar": ["prediction_progress"],
        "presets_screen": ["presets_table"],
        "screens": ["comparison_screen", "files_written", "last_screen", "status_screen"],
    },
)
