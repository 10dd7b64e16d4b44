"""The files of a search, byte by byte as earlier releases wrote them."""

import json
from pathlib import Path

import numpy as np
import pytest

from digits_ray.baselines.baseline_result import BaselineResult
from digits_ray.baselines.results import BaselineResults
from digits_ray.baselines.scored_points import ScoredPoint, best_point
from digits_ray.baselines.search import SearchOutcome
from digits_ray.baselines.trial_records import SavedBaseline, TrialRecord, trials_csv
from digits_ray.baselines.trial_specs import BaselineSpec, Params, TrialSpec
from digits_ray.data import Data
from digits_ray.ensemble import Prediction
from digits_ray.storage import RunDirectory, Store


def params_of(pca: int) -> Params:
    return {"metric": "euclidean", "deskew": True, "pca": pca}


def point_of(pca: int, k: int, accuracy: float, nll: float, seconds: float = 0.1) -> ScoredPoint:
    return ScoredPoint({**params_of(pca), "n_neighbors": k, "weights": "uniform"}, accuracy, nll, seconds)


TRIALS = [
    TrialRecord(params_of(50), "done", [point_of(50, 1, 0.9, 0.5, 0.111), point_of(50, 3, 0.95, 0.25, 0.222)]),
    TrialRecord(params_of(0), "stopped", [point_of(0, 1, 0.95, 0.2, 1.5)]),
    TrialRecord(params_of(10_000), "failed", [], 'ValueError: "too" many, really'),
]
SWEEP = {"n_neighbors": [1, 3], "weights": ["uniform"]}
SPEC = BaselineSpec("knn", tuple(TrialSpec("knn", params_of(pca), SWEEP, 0.1, 7) for pca in (50, 0, 10_000)))

TRIALS_CSV = """\
metric,deskew,pca,n_neighbors,weights,state,accuracy,nll,seconds,error
euclidean,True,0,1,uniform,stopped,0.950000,0.200000,1.50,
euclidean,True,50,3,uniform,done,0.950000,0.250000,0.22,
euclidean,True,50,1,uniform,done,0.900000,0.500000,0.11,
euclidean,True,10000,,,failed,,,,"ValueError: ""too"" many, really"
"""
RESULT_JSON = {
    "spec_hash": "ff122f7a2176d76a",
    "best": {"metric": "euclidean", "deskew": True, "pca": 0, "n_neighbors": 1, "weights": "uniform"},
    "validation": {"rows": 11, "accuracy": 0.95, "nll": 0.2},
    "holdout": {
        "rows": 2,
        "accuracy": 1.0,
        "accuracy_ci95": [0.34238022750665303, 1.0],
        "nll": 0.6364828389708126,
        "brier": 0.34000000789761564,
        "ece": 0.45000000298023224,
        "balanced_accuracy": 1.0,  # added since 0.1.0
    },
    "trials": {"done": 1, "stopped": 1, "failed": 1},
    "search_seconds": 10.25,
    "fit_seconds": 2.5,
}


@pytest.fixture
def results(tmp_path: Path) -> BaselineResults:
    """A run without baselines, of four labelled rows and one test row."""
    images = np.zeros((4, 2, 2), np.uint8)
    data = Data(images, np.array([0, 1, 2, 0], np.int32), (0, 1, 2), images[:1], "train.csv", "test.csv")
    return BaselineResults(RunDirectory(Store.at(str(tmp_path))), data)


def outcome(trials: list[TrialRecord] = TRIALS) -> SearchOutcome:
    proba = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]], np.float32)
    prediction = Prediction("knn", np.array([3, 1]), proba, np.array([0]), proba[:1])
    best = best_point(point for trial in trials for point in trial.points)
    return SearchOutcome(SPEC, trials, best, prediction if best else None, 2.5, 10.25)


def test_a_finished_baseline_is_written_as_earlier_releases_wrote_it(results: BaselineResults, tmp_path: Path) -> None:
    results.write_outcome(outcome(), validation_rows=11)
    assert (tmp_path / "baselines/knn/trials.csv").read_text() == TRIALS_CSV
    written = json.loads((tmp_path / "baselines/knn/result.json").read_text())
    assert json.dumps(written) == json.dumps(RESULT_JSON)  # the order of the keys too


def test_a_finished_baseline_is_loaded_by_the_same_search_alone(results: BaselineResults) -> None:
    results.write_outcome(outcome(), validation_rows=11)
    loaded = BaselineResults(results.run, results.data)
    assert loaded.load_finished([SPEC]) == []
    assert json.dumps(loaded.metrics(None)) == json.dumps(results.metrics(None))
    other = BaselineSpec("knn", SPEC.trials[:1])
    assert BaselineResults(results.run, results.data).load_finished([other]) == [other]


def test_metrics_json_holds_the_result_without_its_hash(results: BaselineResults) -> None:
    results.write_outcome(outcome(), validation_rows=11)
    facts = {name: value for name, value in RESULT_JSON.items() if name != "spec_hash"}
    expected = {"status": "done", **facts, "against_ensemble": None, "weight": 0.0}
    assert json.dumps(results.metrics(None)["knn"]) == json.dumps(expected)


def test_a_search_whose_trials_all_failed_writes_nothing(results: BaselineResults, tmp_path: Path) -> None:
    assert results.write_outcome(outcome(TRIALS[2:]), validation_rows=11) is None
    assert results.metrics(None) == {"knn": {"status": "failed", "error": TRIALS[2].error}}
    assert list(tmp_path.rglob("*.json")) == []


def test_a_finished_trial_is_read_as_it_was_written(results: BaselineResults) -> None:
    files = SavedBaseline(results.run, "knn")
    files.write_trial(SPEC.trials[0], TRIALS[0])
    assert files.finished_trials(SPEC) == {SPEC.trials[0].key: TRIALS[0]}


def test_a_result_with_fewer_or_other_fields_is_read() -> None:
    read = BaselineResult.from_json({"best": {"pca": 3}, "unknown": 1})
    assert (read.best, read.holdout, read.validation) == ({"pca": 3}, None, None)


def test_the_first_line_of_trials_csv_is_the_winner_among_equals() -> None:
    points = [point_of(50, 1, 1.0, 2e-8), point_of(0, 1, 1.0, 1e-8), point_of(20, 1, 1.0, 1e-8), point_of(9, 1, 0.9, 0)]
    trials = [TrialRecord(params_of(int(point.params["pca"])), "done", [point]) for point in points]
    first = trials_csv(trials).splitlines()[1].split(",")
    best = best_point(points)
    assert best is not None
    assert first[2] == str(best.params["pca"]) == "0"
