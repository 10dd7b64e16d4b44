"""What a run tells while it goes on. The base class tells nothing; `terminal` has those that do."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from digits_ray.config import Config
from digits_ray.data import Data, DataCheck
from digits_ray.ensemble import MemberFailure
from digits_ray.progress import MemberStatus, SearchStatus
from digits_ray.report import ReportStep
from digits_ray.scheduling import Plan


class RunCallback:
    """Told of every event of a run. Silent."""

    def __enter__(self) -> "RunCallback":
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends what is being drawn."""

    def on_recipe_kept(self, config: Config, reason: str) -> None:
        """The preset has changed since the run directory was made; `config`, with the directory's recipe, goes on."""
        warnings.warn(reason, stacklevel=4)

    def on_data_loaded(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """The data were read, checked and split; `folds` is (labelled_rows,), as `data.split` gave it."""

    def on_plan(self, plan: Plan, members: int, missing: int, place: str) -> None:
        """The members that are missing will be trained like this, and written to this place."""

    def on_gpu_sharing_trial(self, most: int) -> None:
        """Up to so many members are tried on one GPU, for some seconds."""

    def on_wait_for_nodes(self, reason: str, minutes: float) -> None:
        """No node can hold a member yet; one is waited for, so many minutes in all. Told every few seconds."""

    def on_wait_for_directory(self, reason: str) -> None:
        """Another run may be writing to the same place; it is watched for a while. Told once."""

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        """How far every member is; about twice a second."""

    def on_member_end(self, member_id: int, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """One more member is in the ensemble."""

    def on_training_end(self, metrics: Mapping[str, Any]) -> None:
        """All members that could be trained are in the ensemble; searches and the report may follow."""

    def on_member_failure(self, failure: MemberFailure) -> None:
        """One member was given up."""

    def on_search_progress(self, statuses: list[SearchStatus]) -> None:
        """How far the search for each baseline is; about twice a second while they run."""

    def on_baseline_end(self, kind: str, record: Mapping[str, Any]) -> None:
        """One more baseline is found and refitted; `record` is its result.json."""

    def on_baseline_failure(self, kind: str, error: str) -> None:
        """Every trial of one baseline failed; the run goes on without it."""

    def on_report_step(self, step: ReportStep) -> None:
        """The report is being drawn: this step begins."""

    def on_report_failure(self, error: str) -> None:
        """The report could not be drawn; all results are there."""
        warnings.warn(f"report.html could not be drawn. {error}", stacklevel=3)

    def on_tracking_failure(self, error: str) -> None:
        """MLflow could not be told; the run goes on, and the next command makes up for it."""
        warnings.warn(f"MLflow was not told. {error}", stacklevel=3)
