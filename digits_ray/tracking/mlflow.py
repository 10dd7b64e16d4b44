"""The run in MLflow, where `tracking.mlflow` names a server or store: a run, and a nested run for each member.

MLflow is told what the run directory already holds. Whatever goes wrong there is told and costs nothing here; what is
missing there is made up for by the next command on the same run directory, and nothing is logged twice.
"""

import os
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from digits_ray.config import loading
from digits_ray.ensemble import member_name
from digits_ray.errors import UserError
from digits_ray.storage import RunDirectory

EXPERIMENT = "digits_ray"
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}  # seconds; training waits
RUN_TAG, MEMBER_TAG = "digits_ray.run", "digits_ray.member"


def check_tracking(uri: str | None) -> None:
    """Raises UserError when MLflow is asked for and not installed."""
    if uri and find_spec("mlflow") is None:
        raise UserError("tracking.mlflow: MLflow is not installed. pip install 'digits-ray[mlflow]', or leave it out.")


class Tracking:
    """Logs to MLflow where a server or store is named, and never fails."""

    def __init__(self, uri: str | None, directory: RunDirectory, warn: Callable[[str], None]) -> None:
        self._uri, self._directory, self._warn = uri, directory, warn
        self._log: _Log | None = None
        self._failed = False

    def member(self, member_id: int, record: Mapping[str, Any]) -> None:
        """Logs a finished member's epochs and scores; `record` is its result.json."""
        if not self._failed:  # a server that is down is not waited for again after every member
            self._safely(lambda log: log.member(member_id, record))

    def finished(self, metrics: Mapping[str, Any]) -> None:
        """Logs what is not logged yet, and the ensemble's scores; `metrics` is what metrics.json holds."""
        self._safely(lambda log: log.finished(metrics))

    def _safely(self, act: "Callable[[_Log], None]") -> None:
        if self._uri is None:
            return
        try:
            self._log = self._log or _Log(self._uri, self._directory)
            act(self._log)
        except Exception as error:
            self._failed = True
            self._warn(f"{self._uri}: {str(error).strip().splitlines()[0]}")


class _Log:
    """One run directory's run in MLflow."""

    def __init__(self, uri: str, directory: RunDirectory) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._client, self._directory = MlflowClient(uri), directory
        self._experiment = self._find_experiment()
        self._run = self._find(RUN_TAG, directory.store.uri) or self._new_run()
        self._logged = {one.data.tags[MEMBER_TAG] for one in self._search(f"tags.mlflow.parentRunId = '{self._run}'")}

    def member(self, member_id: int, record: Mapping[str, Any]) -> None:
        name = member_name(member_id)
        if name in self._logged:
            return
        tags = {"mlflow.parentRunId": self._run, "mlflow.runName": name, MEMBER_TAG: name}
        run = self._client.create_run(self._experiment, tags=tags).info.run_id
        for entry in self._directory.members.history(member_id):
            epoch = int(entry.pop("epoch"))
            self._put(run, entry, epoch)
        self._put(run, _scores(record["holdout"]) | {"fit_seconds": record["fit_seconds"]})
        self._client.set_terminated(run)
        self._logged.add(name)

    def finished(self, metrics: Mapping[str, Any]) -> None:
        for member in metrics["members"]:
            if member["status"] == "done":
                self.member(member["id"], member)
        ensemble = metrics["ensemble"]
        values = _scores(ensemble["holdout"]) | {"members_used": ensemble["members_used"]}
        for kind, baseline in metrics["baselines"].items():
            values |= {f"{kind}_{key}": value for key, value in _scores(baseline.get("holdout")).items()}
        self._put(self._run, values)
        self._client.set_terminated(self._run)

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        return found.experiment_id if found else self._client.create_experiment(EXPERIMENT)

    def _find(self, tag: str, value: str) -> str | None:
        found = self._search(f"tags.`{tag}` = '{value}'")
        return found[0].info.run_id if found else None

    def _search(self, condition: str) -> list[Any]:
        return list(self._client.search_runs([self._experiment], condition, max_results=10_000))

    def _new_run(self) -> str:
        uri = self._directory.store.uri
        tags = {"mlflow.runName": uri.rstrip("/").rsplit("/", 1)[-1], RUN_TAG: uri}
        run = self._client.create_run(self._experiment, tags=tags).info.run_id
        for key, value in _flat(loading.config_to_dict(self._directory.config())).items():
            self._client.log_param(run, key, value)
        return run

    def _put(self, run: str, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(run, [Metric(key, value, now, step) for key, value in values.items()])


def _scores(holdout: Mapping[str, Any] | None) -> dict[str, float]:
    return {f"holdout_{key}": holdout[key] for key in ("accuracy", "nll", "brier", "ece")} if holdout else {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"members.count": 10, …}."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found
