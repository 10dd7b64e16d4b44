"""The order of the leaderboard, and its CSV."""

import csv
from io import StringIO

import numpy as np

from digits_ray.ensemble.leaderboard import Standing, leaderboard_csv, rank_standings
from digits_ray.ensemble.metrics import Scores


def standing(model_id: str, accuracy: float, nll: float, seconds: float | None = 12.34) -> Standing:
    interval = (accuracy - 0.01, accuracy + 0.005)
    scores = Scores(1000, accuracy, interval, nll, brier=0.02, ece=0.003, balanced_accuracy=0.9)
    return Standing(model_id, "member", "compact", scores, seconds)


def test_the_leaderboard_ranks_by_accuracy_then_by_nll_then_by_name() -> None:
    standings = [
        standing("d", 0.98, 0.01),
        standing("c", 0.99, 0.05),
        standing("b", 0.99, 0.04),
        standing("a", 0.99, 0.05),
    ]
    for order in np.random.default_rng(0).permuted(np.tile(np.arange(4), (10, 1)), axis=1):
        assert [s.model_id for s in rank_standings([standings[i] for i in order])] == ["b", "a", "c", "d"]


def test_the_leaderboard_csv_has_one_ranked_line_per_model() -> None:
    baseline = Standing("knn", "baseline", "k-nearest, uniform", standing("", 0.95, 0.2).scores, None)
    text = leaderboard_csv([baseline, standing("member 007", 0.99, 0.04)])
    first, second = csv.DictReader(StringIO(text))
    assert text.splitlines()[0] == (
        "rank,model,kind,architecture,rows,accuracy,accuracy_low,accuracy_high,nll,brier,ece,fit_seconds,"
        "balanced_accuracy"
    )
    assert first == {
        "rank": "1",
        "model": "member 007",
        "kind": "member",
        "architecture": "compact",
        "rows": "1000",
        "accuracy": "0.990000",
        "accuracy_low": "0.980000",
        "accuracy_high": "0.995000",
        "nll": "0.040000",
        "brier": "0.020000",
        "ece": "0.003000",
        "fit_seconds": "12.3",
        "balanced_accuracy": "0.900000",
    }
    assert (second["rank"], second["architecture"], second["fit_seconds"]) == ("2", "k-nearest, uniform", "")
