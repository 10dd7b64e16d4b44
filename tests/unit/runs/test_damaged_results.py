"""A finished run whose files were lost or cut short: the same command writes them anew, from the members' own."""

from dataclasses import replace
from pathlib import Path

import pytest
from report_runs import invented_result, results_at

from digits_ray.baselines.outcomes import BaselineResults
from digits_ray.runs.state import RunState
from digits_ray.storage.file_formats import prediction_bytes


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of a finished run of two members."""
    results = results_at(tmp_path, members=2)
    results.keep_samples()
    for spec in results.specs:
        results.keep(invented_result(results, spec))
    results.finish()
    return tmp_path


def again(place: Path) -> RunState:
    """What the same command finds."""
    before = results_at(place, members=2)
    before.take_finished()
    return before


def test_a_finished_run_stands(place: Path) -> None:
    assert again(place).stands()


@pytest.mark.parametrize("name", ["submission.csv", "leaderboard.csv", "ensemble.npz", "cases.npz"])
@pytest.mark.parametrize("left", [None, 0.0, 0.5])
def test_a_final_file_that_is_lost_or_cut_short_is_written_anew(name: str, left: float | None, place: Path) -> None:
    file = place / name
    whole = file.read_bytes()
    file.write_bytes(whole[: int((left or 0) * len(whole))])
    if left is None:
        file.unlink()
    results = again(place)
    assert not results.stands()
    results.finish()
    assert file.read_bytes() == whole


def test_samples_that_are_cut_short_are_written_anew(place: Path) -> None:
    results, file = again(place), place / "dataset.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert not results.stands()
    results.keep_samples()
    assert file.read_bytes() == whole


def test_a_baseline_with_damaged_predictions_is_searched_anew(place: Path) -> None:
    results = again(place)
    prediction = replace(results.run.members.prediction(0), model_id="knn")
    results.run.write_json("baselines/knn/result.json", {"best": {}})
    results.run.store.write("baselines/knn/predictions.npz", prediction_bytes(prediction))
    results.baselines.take_finished(None)
    assert list(results.baselines.records) == ["knn"]
    (place / "baselines/knn/predictions.npz").write_bytes(b"")
    found = BaselineResults(results.run, results.data)
    found.take_finished(None)
    assert found.records == {}
