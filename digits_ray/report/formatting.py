"""How numbers and models are written on the page."""

from digits_ray.ensemble import Scores

SIGNIFICANCE = 0.05  # a difference is called significant where McNemar's p is smaller

BASELINE_TITLES = {"knn": "k nearest neighbours", "tree": "decision tree", "forest": "forest"}


def percent(fraction: float, digits: int = 2) -> str:
    """Returns 0.98613 as "98.61 %"."""
    return f"{100 * fraction:.{digits}f} %"


def percent_with_interval(scores: Scores) -> str:
    """Returns an accuracy with its 95 % interval and its rows."""
    low, high = scores.accuracy_ci95
    return f"{percent(scores.accuracy)} ({100 * low:.2f}–{100 * high:.2f} %, n = {scores.rows:,})"


def p_value_text(p_value: float) -> str:
    """Returns "p = 0.023", or "p < 0.0001"."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"


def best_of(count: int, models: str) -> str:
    """Returns the clause that warns of a model picked by the rows that then score it; "" where there was no choice."""
    return f"; best of {count} {models} on these same rows, so its accuracy is flattered" if count > 1 else ""


def duration(seconds: float) -> str:
    """Returns "45 s", "12.3 min" or "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
