"""The leaderboard: all models of a run, ranked, and the same as CSV."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from digits_ray.ensemble.metrics import Scores

SCORE_COLUMNS = ("accuracy", "accuracy_low", "accuracy_high", "nll", "brier", "ece")
COLUMNS = ("rank", "model", "kind", "architecture", "rows", *SCORE_COLUMNS, "fit_seconds", "balanced_accuracy")


@dataclass(frozen=True)
class Standing:
    """One model's line of the leaderboard."""

    model_id: str
    kind: Literal["ensemble", "member", "baseline"]
    architecture: str  # of a baseline: its best configuration
    scores: Scores
    seconds: float | None  # of fitting; None where it is unknown


def rank_standings(standings: Sequence[Standing]) -> list[Standing]:
    """Sorts the best first: by accuracy, then by NLL, then by name so that equal runs give equal tables."""
    return sorted(standings, key=lambda standing: (-standing.scores.accuracy, standing.scores.nll, standing.model_id))


def leaderboard_csv(standings: Sequence[Standing]) -> str:
    """Returns the sorted table as CSV text, a line per model under COLUMNS; what is unknown stays empty."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([rank, *_cells(standing)] for rank, standing in enumerate(rank_standings(standings), start=1))
    return text.getvalue()


def _cells(standing: Standing) -> list[str | int]:
    scores = standing.scores
    numbers = (scores.accuracy, *scores.accuracy_ci95, scores.nll, scores.brier, scores.ece)
    seconds = "" if standing.seconds is None else f"{standing.seconds:.1f}"
    names = [standing.model_id, standing.kind, standing.architecture]
    balanced = "" if scores.balanced_accuracy is None else f"{scores.balanced_accuracy:.6f}"
    return [*names, scores.rows, *(f"{number:.6f}" for number in numbers), seconds, balanced]
