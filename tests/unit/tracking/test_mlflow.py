"""What is logged to MLflow, in a store of files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from metrics_files import SCORES, metrics_of
from run_directories import claimed, result_of

from digits_ray.config import Config, member_specs
from digits_ray.errors import UserError
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.tracking.mlflow import MlflowTracking, check_tracking

pytest.importorskip("mlflow")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


def refuse_warning(error: str) -> None:
    raise AssertionError(error)


def runs_in(store: str) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("digits_ray")
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def finished_run(place: Path, members: int) -> tuple[RunDirectory, list[dict[str, Any]]]:
    run = claimed(place, Config(members=replace(Config().members, count=members)))
    records = [run.write_member(spec, result_of(spec.member_id), SCORES) for spec in member_specs(run.config())]
    return run, records


def test_a_run_with_its_parameters_and_a_nested_run_for_each_member(tmp_path: Path, store: str) -> None:
    directory, records = finished_run(tmp_path / "first", 2)
    tracking = MlflowTracking(store, directory, refuse_warning)
    tracking.log_member(0, records[0])
    metrics = metrics_of([{"id": n, "status": "done", **record} for n, record in enumerate(records)])
    tracking.log_run(metrics | {"test": SCORES | {"accuracy": 0.97}})
    runs = runs_in(store)
    assert set(runs) == {"first", "member-000", "member-001"}
    assert runs["first"].data.metrics["test_accuracy"] == 0.97
    assert runs["first"].data.params["members.count"] == "2"
    assert runs["first"].data.metrics["holdout_accuracy"] == SCORES["accuracy"]
    assert runs["member-001"].data.metrics | {"loss": 1.0, "fit_seconds": 2.0} == runs["member-001"].data.metrics
    assert runs["member-001"].data.tags["mlflow.parentRunId"] == runs["first"].info.run_id
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_the_next_command_on_the_same_directory_logs_nothing_twice(tmp_path: Path, store: str) -> None:
    directory, records = finished_run(tmp_path / "first", 2)
    members = [{"id": n, "status": "done", **record} for n, record in enumerate(records)]
    MlflowTracking(store, directory, refuse_warning).log_run(metrics_of(members[:1]))
    MlflowTracking(store, directory, refuse_warning).log_run(metrics_of(members))
    assert set(runs_in(store)) == {"first", "member-000", "member-001"}


def test_a_server_that_is_down_costs_a_warning(tmp_path: Path) -> None:
    directory, records = finished_run(tmp_path, 1)
    warnings: list[str] = []
    tracking = MlflowTracking("http://127.0.0.1:9", directory, warnings.append)
    tracking.log_member(0, records[0])
    tracking.log_member(0, records[0])
    assert len(warnings) == 1
    assert "http://127.0.0.1:9" in warnings[0]


def test_an_error_without_a_text_costs_a_warning_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise AssertionError

    monkeypatch.setattr("mlflow.MlflowClient", fail)
    warnings: list[str] = []
    MlflowTracking("http://127.0.0.1:9", claimed(tmp_path), warnings.append).log_run({})
    assert len(warnings) == 1
    assert warnings[0].startswith("http://127.0.0.1:9: AssertionError (")


def test_without_a_uri_nothing_happens_and_mlflow_that_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MlflowTracking(None, claimed(tmp_path), refuse_warning).log_run({})
    check_tracking(None)
    monkeypatch.setattr("digits_ray.tracking.mlflow.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"digits-ray\[mlflow\]"):
        check_tracking("http://127.0.0.1:9")
