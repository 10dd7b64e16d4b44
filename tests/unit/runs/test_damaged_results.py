"""A finished run whose files were lost or cut short: the same command writes them anew, from the members' own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_runs import invented_result, state_at

from digits_ray.baselines.results import BaselineResults
from digits_ray.data import DrawingForm
from digits_ray.runs.result_files import ResultFiles
from digits_ray.runs.state import RunState
from digits_ray.storage.file_formats import prediction_bytes


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    """The directory of a finished run of two members."""
    state = state_at(tmp_path, members=2)
    for spec in state.inputs.specs:
        state.write_member(invented_result(state, spec))
    ResultFiles(state).write_final()
    return tmp_path


def state_of_next_command(run_path: Path) -> RunState:
    """What the same command finds."""
    state = state_at(run_path, members=2)
    state.load_finished()
    return state


def test_a_finished_run_is_up_to_date(run_path: Path) -> None:
    assert state_of_next_command(run_path).is_up_to_date()


@pytest.mark.parametrize("name", ["submission.csv", "leaderboard.csv", "label_issues.csv", "ensemble.npz", "cases.npz"])
@pytest.mark.parametrize("left", [None, 0.0, 0.4])
def test_a_final_file_that_is_lost_or_cut_short_is_written_anew(name: str, left: float | None, run_path: Path) -> None:
    file = run_path / name
    intact = file.read_bytes()
    file.write_bytes(intact[: int((left or 0) * len(intact))])
    if left is None:
        file.unlink()
    state = state_of_next_command(run_path)
    assert not state.is_up_to_date()
    ResultFiles(state).write_final()
    assert file.read_bytes() == intact


def test_the_form_of_the_training_images_is_written_when_the_run_ends(run_path: Path) -> None:
    form = DrawingForm.from_json(json.loads((run_path / "drawing.json").read_text()))
    assert (form.height, form.width, form.channels) == (8, 8, 1)
    assert form.ink[0] > form.background[0]


def test_samples_that_are_cut_short_are_written_anew(run_path: Path) -> None:
    state, file = state_of_next_command(run_path), run_path / "dataset.npz"
    intact = file.read_bytes()
    file.write_bytes(intact[: len(intact) // 2])
    assert not state.is_up_to_date()
    state.write_samples()
    assert file.read_bytes() == intact


def test_a_baseline_with_damaged_predictions_is_searched_anew(run_path: Path) -> None:
    state = state_of_next_command(run_path)
    prediction = replace(state.directory.members.prediction(0), model_id="knn")
    state.directory.write_json("baselines/knn/result.json", {"best": {}})
    state.directory.store.write("baselines/knn/predictions.npz", prediction_bytes(prediction))
    state.baselines.load_finished(None)
    assert list(state.baselines.records) == ["knn"]
    (run_path / "baselines/knn/predictions.npz").write_bytes(b"")
    baselines = BaselineResults(state.directory, state.inputs.data)
    baselines.load_finished(None)
    assert baselines.records == {}


def test_a_finished_run_whose_searches_all_failed_says_so_in_its_metrics(run_path: Path) -> None:
    state = state_of_next_command(run_path)
    state.baselines.failures["knn"] = "ValueError: no rows"
    assert not state.is_up_to_date()
    metrics = ResultFiles(state).write_final()
    assert metrics["baselines"] == {"knn": {"status": "failed", "error": "ValueError: no rows"}}
