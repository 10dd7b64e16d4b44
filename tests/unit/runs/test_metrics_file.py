"""metrics.json: others read its keys, so they stay as 0.1.0 wrote them."""

import json
import tarfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from report_runs import invented_result, state_at

from digits_ray.baselines.results import BaselineResults
from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.search import SearchOutcome
from digits_ray.baselines.trial_records import TrialRecord
from digits_ray.baselines.trial_specs import BaselineSpec
from digits_ray.ensemble.predictions import MemberFailure, Prediction
from digits_ray.runs import metrics_file
from digits_ray.runs.records import BaselineRecord, MemberRecord
from digits_ray.runs.result_files import ResultFiles
from digits_ray.runs.state import RunState
from digits_ray.scheduling.resources import Plan

OLD_RUN = Path(__file__).parents[2] / "fixtures" / "run_0_1_0.tar.xz"


def old_json(name: str) -> dict[str, Any]:
    """A JSON file of the run directory that 0.1.0 wrote."""
    with tarfile.open(OLD_RUN) as archive:
        file = archive.extractfile(f"run/{name}")
        assert file
        return json.loads(file.read())


def key_tree(values: Any) -> Any:
    """The keys, in their order and at every level, with the kinds of the values; of lists, those of each entry."""
    if isinstance(values, dict):
        return [(key, key_tree(value)) for key, value in values.items()]
    if isinstance(values, list):
        return [key_tree(value) for value in values]
    return "number" if type(values) in (int, float) else type(values).__name__


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    """As far as the run that 0.1.0 left: one of two members, and a search."""
    state = state_at(tmp_path / "run", members=2)
    state.plan = Plan(1, 1, 0, 1, "1 member at a time")
    state.write_member(invented_result(state, state.inputs.specs[0]))
    return state


def add_baseline(state: RunState, baselines: BaselineResults) -> None:
    """Counts in a tree that was searched."""
    params = {"deskew": False, "min_samples_leaf": 1}
    best = ScoredPoint(params, accuracy=0.9, nll=0.5, seconds=0.1)
    member = state.directory.members.prediction(0)
    parts = (member.holdout_row_ids, member.holdout_proba, member.test_row_ids, member.test_proba)
    trials = [TrialRecord(params, "done", [best])]
    spec = BaselineSpec("tree", ())
    baselines.write_outcome(SearchOutcome(spec, trials, best, Prediction("tree", *parts), 1.0, 2.0), validation_rows=27)


def test_the_keys_of_metrics_json_are_those_of_0_1_0_and_what_was_added_to_scores(state: RunState) -> None:
    add_baseline(state, state.baselines)
    ResultFiles(state).write_final()
    expected = old_json("metrics.json")
    expected["baselines"] = {"tree": expected["baselines"]["tree"]}
    for model in (expected["members"][0], expected["baselines"]["tree"], expected["ensemble"]):
        model["holdout"]["balanced_accuracy"] = 0.5
    one_class = {"rows": 8, "recall": 0.5, "ci95": [0.2, 0.8]}
    expected["ensemble"]["holdout"]["recall"] = dict.fromkeys("0123", one_class)
    written = json.loads((Path(state.directory.store.uri) / "metrics.json").read_text())
    assert key_tree(written) == key_tree(expected)


def test_a_record_of_0_1_0_comes_out_of_metrics_json_as_it_went_in() -> None:
    result, metrics = old_json("members/000/result.json"), old_json("metrics.json")["members"][0]
    record = MemberRecord.from_json(result)
    metrics["holdout"]["balanced_accuracy"] = None  # which was not computed then
    assert json.loads(json.dumps(record.to_json())) == {key: metrics[key] for key in result if key != "spec_hash"}
    assert list(record.to_json()) == [key for key in result if key != "spec_hash"]


def test_a_record_can_be_read_by_attribute_and_by_key() -> None:
    member = MemberRecord.from_json(old_json("members/000/result.json"))
    assert member.holdout is not None
    assert member.holdout.accuracy == member["holdout"]["accuracy"] == 0.9333333333333333
    baseline = BaselineRecord.from_json(old_json("baselines/knn/result.json"))
    assert baseline.validation.rows == baseline["validation"]["rows"] == 27
    assert baseline.best["n_neighbors"] == baseline["best"]["n_neighbors"] == 3


def test_members_that_are_done_given_up_and_waiting_are_told_apart(tmp_path: Path) -> None:
    state = state_at(tmp_path, members=3)
    state.write_member(invented_result(state, state.inputs.specs[0]))
    state.record_failure(MemberFailure(1, "ValueError", "odd sides", attempts=3, origin="mine.py:7, in layers"))
    done, failed, waiting = ResultFiles(state).write_final()["members"]
    assert done["status"] == "done"
    spec = state.inputs.specs[1]
    assert failed == {
        **{"id": 1, "seed": spec.seed, "architecture": spec.architecture},
        **{"status": "failed", "attempts": 3, "error": "ValueError: odd sides (mine.py:7, in layers)"},
    }
    assert (waiting["status"], waiting["attempts"]) == ("waiting", 0)


def test_a_run_without_held_out_rows_has_no_scores_and_no_comparison(tmp_path: Path) -> None:
    state = state_at(tmp_path, members=1, split__scheme="none")
    state.write_member(invented_result(state, state.inputs.specs[0]))
    metrics = ResultFiles(state).write_final()
    assert metrics["members"][0]["holdout"] is None
    ensemble = metrics["ensemble"]
    assert ensemble["holdout"] is ensemble["against_best_member"] is ensemble["mean_disagreement"] is None


@pytest.mark.parametrize(("members", "networks"), [(3, "1 network"), (6, "2 networks")])
def test_under_k_folds_metrics_say_how_many_networks_scored_a_row(members: int, networks: str, tmp_path: Path) -> None:
    state = state_at(tmp_path, members=members, split__scheme="kfold", split__folds=3)
    for spec in state.inputs.specs:
        state.write_member(invented_result(state, spec))
    ensemble = ResultFiles(state).write_final()["ensemble"]
    each = members // 3
    text = f"{networks} a row, not the ensemble"
    assert ensemble["networks_per_row"] == {"fewest": each, "most": each, "text": text}
    assert (ensemble["against_best_member"] is None) == (ensemble["mean_disagreement"] is None) == (each == 1)
    agreement = [line.split(",")[5] for line in (tmp_path / "label_issues.csv").read_text().splitlines()[1:]]
    assert agreement
    assert ("" in agreement) == (set(agreement) == {""}) == (each == 1)


def test_seconds_of_earlier_commands_count_and_overhead_is_of_this_one(tmp_path: Path) -> None:
    first = state_at(tmp_path, members=1)
    first.write_member(invented_result(first, first.inputs.specs[0]))
    first.started -= 100.0
    first.slot_seconds = 8.0
    assert ResultFiles(first).write_final()["timing"]["overhead"] == 0.25  # 6 of 8 seconds were epochs
    first.directory.close()
    again = state_at(tmp_path, members=1)
    again.load_finished()
    timing = ResultFiles(again).write_final()["timing"]
    assert 100.0 < timing["wall_seconds"] < 200.0
    assert timing["overhead"] is None
    assert timing["member_seconds"] == 6.0


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "tensorflow":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metrics_file, "version", version)
    versions = metrics_file._package_versions.__wrapped__("jax")
    assert "tensorflow" not in versions
    assert versions["jax"] == versions["keras"] == "1.0"
