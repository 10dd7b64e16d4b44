"""The report: one HTML page that shows a run, drawn from its run directory alone."""

from collections.abc import Callable
from contextlib import closing

from digits_ray.report.distillation import distillation_lines
from digits_ray.report.drawing import ReportDrawing
from digits_ray.report.formatting import best_of, duration, percent, percent_with_interval
from digits_ray.report.steps import STEPS, ReportStep
from digits_ray.report.which_networks import (
    accuracy_on_test_rows,
    ensemble_line,
    failed_refits,
    is_single_network,
    networks_per_row,
    scored_networks,
    which_networks,
)

__all__ = [
    "STEPS",
    "ReportDrawing",
    "ReportStep",
    "accuracy_on_test_rows",
    "best_of",
    "distillation_lines",
    "draw_report",
    "duration",
    "ensemble_line",
    "failed_refits",
    "is_single_network",
    "networks_per_row",
    "percent",
    "percent_with_interval",
    "scored_networks",
    "which_networks",
]


def draw_report(run_dir: str, on_step: Callable[[ReportStep], None] = lambda step: None) -> str:
    """Draws report.html, and each figure as figures/<name>.png, into the run directory.

    Nothing of Ray is imported. TensorFlow works in a process of its own; where that fails, the page says so.

    Args:
        run_dir: The run's `out`: a path or URI.
        on_step: Called before each of the STEPS.

    Returns:
        Path or URI of the page.

    Raises:
        UserError: there is no run, or the directory may not be written.
    """
    with closing(ReportDrawing(run_dir)) as drawing:
        return drawing.finish(on_step)
