"""What a run tells while it goes on. The base class tells nothing; `terminal` has those that do."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

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

    def data(self, data: Data, check: DataCheck, folds: np.ndarray) -> None:
        """The data were read, checked and split; `folds` is (labelled_rows,), as `data.split` gave it."""

    def plan(self, plan: Plan, members: int, missing: int, place: str) -> None:
        """The members that are missing will be trained like this, and written to this place."""

    def packing(self, most: int) -> None:
        """Up to so many members are tried on one GPU, for some seconds."""

    def waiting(self, reason: str, minutes: float) -> None:
        """No node can hold a member yet; one is waited for, so many minutes in all. Told every few seconds."""

    def occupied(self, reason: str) -> None:
        """Another run may be writing to the same place; it is watched for a while. Told once."""

    def members(self, statuses: list[MemberStatus]) -> None:
        """How far every member is; about twice a second."""

    def member_done(self, member_id: int, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """One more member is in the ensemble."""

    def ensemble(self, metrics: Mapping[str, Any]) -> None:
        """All members that could be trained are in the ensemble; searches and the report may follow."""

    def member_failed(self, failure: MemberFailure) -> None:
        """One member was given up."""

    def searches(self, statuses: list[SearchStatus]) -> None:
        """How far the search for each baseline is; about twice a second while they run."""

    def baseline_done(self, kind: str, record: Mapping[str, Any]) -> None:
        """One more baseline is found and refitted; `record` is its result.json."""

    def baseline_failed(self, kind: str, error: str) -> None:
        """Every trial of one baseline failed; the run goes on without it."""

    def report(self, step: ReportStep) -> None:
        """The report is being drawn: this step begins."""

    def report_failed(self, error: str) -> None:
        """The report could not be drawn; all results are there."""
        warnings.warn(f"report.html could not be drawn. {error}", stacklevel=3)

    def tracking_failed(self, error: str) -> None:
        """MLflow could not be told; the run goes on, and the next command makes up for it."""
        warnings.warn(f"MLflow was not told. {error}", stacklevel=3)

    def finished(self, metrics: Mapping[str, Any], place: str) -> None:
        """All files are written."""
