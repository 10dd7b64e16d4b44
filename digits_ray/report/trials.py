"""Orders a baseline's trials into curves: accuracy over the swept setting, one curve for each set of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

Line = dict[str, str]  # of trials.csv

# The setting that each search sweeps, with its axis title.
SWEPT = {
    "knn": ("n_neighbors", "neighbours k"),
    "tree": ("min_samples_leaf", "least images in a leaf"),
    "forest": ("trees", "trees"),
}
MEASURED = ("state", "accuracy", "nll", "seconds", "error")  # all other columns are settings


@dataclass(frozen=True)
class Curve:
    """Trials that differ in the swept setting alone."""

    name: str  # the other settings, as "weights=distance, pca=50"
    x: list[float]
    accuracy: list[float]  # 0 … 1, of validation rows
    wins: bool  # holds the winner


@dataclass(frozen=True)
class Search:
    """All configurations of one baseline that were scored."""

    label: str  # axis title of the swept setting
    curves: list[Curve]
    winner: Line  # its settings
    best: tuple[float, float]  # x and accuracy of the winner
    count: int
    failed: int


def search_of(name: str, lines: Sequence[Line]) -> Search | None:
    """Orders trials into curves; None when none was scored.

    Args:
        name: "knn", "tree" or "forest".
        lines: Of trials.csv, the winner first.
    """
    scored = [line for line in lines if line.get("accuracy")]
    if not scored:
        return None
    swept, label = SWEPT[name]
    groups: dict[str, list[tuple[float, float]]] = {}
    for line in scored:
        groups.setdefault(_others(line, scored, swept), []).append((float(line[swept]), float(line["accuracy"])))
    winner = scored[0]
    best = (float(winner[swept]), float(winner["accuracy"]))
    wins = _others(winner, scored, swept)
    curves = [_curve(key, sorted(points), key == wins) for key, points in groups.items()]
    return Search(label, curves, settings_of(winner), best, len(scored), len(lines) - len(scored))


def _curve(name: str, points: list[tuple[float, float]], wins: bool) -> Curve:
    return Curve(name, [x for x, _ in points], [accuracy for _, accuracy in points], wins)


def settings_of(line: Line) -> Line:
    """Returns a trial's settings, without its measurements."""
    return {key: value for key, value in line.items() if key not in MEASURED}


def _others(line: Line, lines: Sequence[Line], swept: str) -> str:
    """Names the settings, other than the swept one, in which trials differ."""
    told = {key: value for key, value in settings_of(line).items() if key != swept}
    return ", ".join(f"{key}={value}" for key, value in told.items() if len({one.get(key) for one in lines}) > 1)
