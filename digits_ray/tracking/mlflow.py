"""The run in MLflow, where `tracking.mlflow` names a server or store: a run, and a nested run for each member.

MLflow gets what the run directory already holds. A failure of MLflow is a warning and never ends the run; what it lacks
is logged by the next command on the same run directory, and nothing is logged twice.
"""

import os
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from digits_ray.config import config_to_dict
from digits_ray.ensemble import member_name
from digits_ray.error_cause import root_cause
from digits_ray.errors import UserError
from digits_ray.storage import RunDirectory

EXPERIMENT = "digits_ray"
TIMEOUTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}  # training waits meanwhile
RUN_TAG, MEMBER_TAG = "digits_ray.run", "digits_ray.member"


def check_tracking(uri: str | None) -> None:
    """Raises UserError when MLflow is asked for and not installed."""
    if uri and find_spec("mlflow") is None:
        raise UserError("tracking.mlflow: MLflow is not installed. pip install 'digits-ray[mlflow]', or leave it out.")


class MlflowTracking:
    """Logs to MLflow where a server or store is named, and never fails."""

    def __init__(self, uri: str | None, directory: RunDirectory, warn: Callable[[str], None]) -> None:
        self._uri, self._directory, self._warn = uri, directory, warn
        self._mlflow_run: _MlflowRun | None = None
        self._failed = False

    def log_member(self, member_id: int, record: Mapping[str, Any]) -> None:
        """Logs a finished member's epochs and scores; `record` is its result.json."""
        if not self._failed:  # a server that is down is not waited for again after every member
            self._try(lambda mlflow_run: mlflow_run.log_member(member_id, record))

    def log_run(self, metrics: Mapping[str, Any]) -> None:
        """Logs what is not logged yet, and the ensemble's scores; `metrics` is what metrics.json holds."""
        self._try(lambda mlflow_run: mlflow_run.log_run(metrics))

    def _try(self, log: "Callable[[_MlflowRun], None]") -> None:
        if self._uri is None:
            return
        try:
            self._mlflow_run = self._mlflow_run or _MlflowRun(self._uri, self._directory)
            log(self._mlflow_run)
        except Exception as error:
            self._failed = True
            self._warn(f"{self._uri}: {root_cause(error)}")


class _MlflowRun:
    """The run in MLflow that belongs to one run directory, found there by its tag or created."""

    def __init__(self, uri: str, directory: RunDirectory) -> None:
        for name, value in TIMEOUTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._client, self._directory = MlflowClient(uri), directory
        self._experiment_id = self._find_or_create_experiment()
        self._run_id = self._find_run(directory.store.uri) or self._create_run()
        members = self._search_runs(f"tags.mlflow.parentRunId = '{self._run_id}'")
        self._logged = {member.data.tags[MEMBER_TAG] for member in members}

    def log_member(self, member_id: int, record: Mapping[str, Any]) -> None:
        name = member_name(member_id)
        if name in self._logged:
            return
        tags = {"mlflow.parentRunId": self._run_id, "mlflow.runName": name, MEMBER_TAG: name}
        run_id = self._client.create_run(self._experiment_id, tags=tags).info.run_id
        for entry in self._directory.members.history(member_id):
            epoch = int(entry.pop("epoch"))
            self._log_metrics(run_id, entry, epoch)
        self._log_metrics(run_id, _scores(record["holdout"]) | {"fit_seconds": record["fit_seconds"]})
        self._client.set_terminated(run_id)
        self._logged.add(name)

    def log_run(self, metrics: Mapping[str, Any]) -> None:
        for member in metrics["members"]:
            if member["status"] == "done":
                self.log_member(member["id"], member)
        ensemble = metrics["ensemble"]
        values = _scores(ensemble["holdout"]) | {"members_used": ensemble["members_used"]}
        values |= _scores(metrics.get("test"), "test")
        for kind, baseline in metrics["baselines"].items():
            values |= {f"{kind}_{key}": value for key, value in _scores(baseline.get("holdout")).items()}
        self._log_metrics(self._run_id, values)
        self._client.set_terminated(self._run_id)

    def _find_or_create_experiment(self) -> str:
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        return experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)

    def _find_run(self, uri: str) -> str | None:
        runs = self._search_runs(f"tags.`{RUN_TAG}` = '{uri}'")
        return runs[0].info.run_id if runs else None

    def _search_runs(self, condition: str) -> list[Any]:
        return list(self._client.search_runs([self._experiment_id], condition, max_results=10_000))

    def _create_run(self) -> str:
        uri = self._directory.store.uri
        tags = {"mlflow.runName": uri.rstrip("/").rsplit("/", 1)[-1], RUN_TAG: uri}
        run_id = self._client.create_run(self._experiment_id, tags=tags).info.run_id
        for key, value in _flattened(config_to_dict(self._directory.config())).items():
            self._client.log_param(run_id, key, value)
        return str(run_id)

    def _log_metrics(self, run_id: str, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(run_id, [Metric(key, value, now, step) for key, value in values.items()])


def _scores(scores: Mapping[str, Any] | None, rows: str = "holdout") -> dict[str, float]:
    return {f"{rows}_{key}": scores[key] for key in ("accuracy", "nll", "brier", "ece")} if scores else {}


def _flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"members.count": 10, …}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        flat |= _flattened(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat
