"""A baseline's trials as curves: accuracy over the swept setting, one curve for each combination of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

TrialRow = dict[str, str]  # of trials.csv

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

    name: str  # the other settings, as "distance, no deskew, pca=50"
    x: list[float]
    accuracy: list[float]  # 0 … 1, of validation rows
    has_winner: bool


@dataclass(frozen=True)
class SearchCurves:
    """All configurations of one baseline that were scored."""

    label: str  # axis title of the swept setting
    curves: list[Curve]
    winner: TrialRow  # its settings
    winner_x: float
    winner_accuracy: float  # 0 … 1, of validation rows
    scored: int  # trials
    failed: int


def search_curves(kind: str, trials: Sequence[TrialRow]) -> SearchCurves | None:
    """Groups trials into curves; None when none was scored.

    Args:
        kind: "knn", "tree" or "forest".
        trials: Rows of trials.csv, the winner first.
    """
    scored = [trial for trial in trials if trial.get("accuracy")]
    if not scored:
        return None
    swept, label = SWEPT[kind]
    points: dict[str, list[tuple[float, float]]] = {}  # x and accuracy, by the name of the curve
    for trial in scored:
        point = (float(trial[swept]), float(trial["accuracy"]))
        points.setdefault(_curve_name(trial, scored, swept), []).append(point)
    winner = scored[0]
    winners_curve = _curve_name(winner, scored, swept)
    return SearchCurves(
        label=label,
        curves=[_curve(name, sorted(on_curve), name == winners_curve) for name, on_curve in points.items()],
        winner=_settings(winner),
        winner_x=float(winner[swept]),
        winner_accuracy=float(winner["accuracy"]),
        scored=len(scored),
        failed=len(trials) - len(scored),
    )


def _curve(name: str, points: list[tuple[float, float]], has_winner: bool) -> Curve:
    return Curve(name, [x for x, _ in points], [accuracy for _, accuracy in points], has_winner)


def _settings(trial: TrialRow) -> TrialRow:
    return {key: value for key, value in trial.items() if key not in MEASURED}


def _curve_name(trial: TrialRow, trials: Sequence[TrialRow], swept: str) -> str:
    """Returns the settings, other than the swept one, in which trials differ."""
    others = {key: value for key, value in _settings(trial).items() if key != swept}
    differing = {key: value for key, value in others.items() if len({other.get(key) for other in trials}) > 1}
    return ", ".join(_setting_text(key, value) for key, value in differing.items())


def _setting_text(key: str, value: str) -> str:
    """Returns a setting as short as it can be read: "deskew", "no deskew", "cosine", "pca=50"."""
    if value in ("True", "False"):
        return key if value == "True" else f"no {key}"
    return value if value.replace("_", "").isalpha() and key != "max_features" else f"{key}={value}"
