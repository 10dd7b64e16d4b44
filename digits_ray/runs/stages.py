"""The stages of a run after its data are read and split: resume, train, refit, search, combine, report."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray import data as datasets
from digits_ray.baselines import BaselineSpec
from digits_ray.config import Config, MemberSpec
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.error_cause import root_cause
from digits_ray.errors import RunError
from digits_ray.progress import MemberStatus
from digits_ray.report import ReportDrawing
from digits_ray.runs.callbacks import CallbackList
from digits_ray.runs.inputs import RunInputs
from digits_ray.runs.records import BaselineRecord
from digits_ray.runs.result_files import ResultFiles
from digits_ray.runs.state import RunState
from digits_ray.scheduling import Plan, Replanner, first_plan, plan_cpu_fits
from digits_ray.storage import RunDirectory, layout
from digits_ray.tracking import MlflowTracking
from digits_ray.training.network_files import registered_networks

if TYPE_CHECKING:
    from digits_ray.baselines.search import SearchOutcome
    from digits_ray.scheduling import ActorInputs, RetryPolicy
    from digits_ray.tracking import RunGauges


@dataclass(frozen=True)
class Missing:
    """What earlier commands have not finished, and this one is to do."""

    members: list[MemberSpec]
    refits: list[MemberSpec]
    baselines: list[BaselineSpec]

    def __bool__(self) -> bool:
        return bool(self.members or self.refits or self.baselines)


class Stages:
    """The stages of a run, as one command executes them. To be closed, which lets another process continue the run."""

    def __init__(
        self, inputs: RunInputs, callbacks: CallbackList, started: float, *, early_report: bool = False
    ) -> None:
        """Opens the run directory, without writing to it.

        Args:
            inputs: What goes into the run.
            callbacks: Called with the events of the run.
            started: time.monotonic() of the command.
            early_report: Whether a process for the report may start while members train.

        Raises:
            UserError: the directory holds another run, or other files.
        """
        self.inputs, self.callbacks = inputs, callbacks
        self.directory = RunDirectory.at(str(inputs.config.out), inputs.config, inputs.fingerprint())
        self.state = RunState(self.directory, inputs, started)
        self.results = ResultFiles(self.state)
        self.soft_labels: np.ndarray | None = None  # as `Rows` has them; set by a distillation before it trains
        self.tracking = MlflowTracking(inputs.config.tracking.mlflow, self.directory, callbacks.on_tracking_failure)
        self._early_report, self._drawing = early_report, ReportDrawing(self.directory.store.uri)

    def close(self) -> None:
        """Ends a report that is still being drawn, and lets another process continue the run."""
        try:
            self._drawing.close()
        finally:
            self.directory.close()

    def resume(self, *, with_members: bool) -> Missing:
        """Counts in what earlier commands have finished; returns what is missing.

        Args:
            with_members: Whether members are wanted, not baselines alone.

        Raises:
            UserError: something is missing, and the directory cannot be written.
        """
        search = self.inputs.search
        members, refits = self.state.load_finished(), self.state.load_finished_refits()
        baselines = self.state.baselines.load_finished(search.specs if search else None)
        missing = Missing(members, refits, baselines) if with_members else Missing([], [], baselines)
        if missing:
            self.directory.store.check_writable()
        return missing

    def train(self, missing: list[MemberSpec]) -> None:
        """Trains members, on all of the cluster.

        Raises:
            RunError: fewer than `members.min_members` could be trained.
        """
        if not missing:
            return
        plan = self.state.plan = self._first_plan(missing)
        self.state.claim(self.callbacks.on_wait_for_directory)
        self.callbacks.on_plan(plan, len(self.inputs.specs), len(missing), str(self.inputs.config.out))
        self._fit(missing, plan, self._record_member)
        self.callbacks.on_training_end(self.results.write_interim(at_once=True))  # what comes next may take long

    def refit(self, missing: list[MemberSpec]) -> None:
        """Trains members once more, on all labelled rows. Until the last is done, the first networks write the results.

        Args:
            missing: The refits that are missing; those of members that were given up are left out.
        """
        missing = [spec for spec in missing if spec.member_id in self.state.records]
        if not missing:
            return
        plan = self.state.plan = self.state.plan or self._first_plan(missing)
        self.state.claim(self.callbacks.on_wait_for_directory)
        self.results.write_interim(at_once=True)  # a finished run is unfinished again
        self.callbacks.on_refit_begin(plan, len(self.state.records), len(missing))
        self._fit(missing, plan, self._record_refit)

    def search(self, missing: list[BaselineSpec]) -> None:
        """Searches baselines, on all of the cluster: members are trained first, so neither waits for the other."""
        search = self.inputs.search
        if not missing or search is None:
            return
        from digits_ray.baselines import search_baselines

        self.state.claim(self.callbacks.on_wait_for_directory)
        wait_minutes = self.inputs.config.resources.wait_minutes
        plan = partial(plan_cpu_fits, wait_minutes=wait_minutes, on_wait=self.callbacks.on_wait_for_nodes)
        on_status = self.callbacks.on_search_progress
        for outcome in search_baselines(missing, search, self._rows, self.directory, plan, on_status):
            self._record_baseline(outcome, len(search.validation))

    def combine(self) -> None:
        """Writes the ensemble of all members, unless an earlier command has."""
        metrics: Mapping[str, Any] = self.state.previous
        if not self.state.is_up_to_date():
            self.state.claim(self.callbacks.on_wait_for_directory)
            metrics = self.results.write_final()
        self.tracking.log_run(metrics)

    def begin_report(self) -> None:
        """Draws what of the report needs no ensemble, in a thread: Ray takes seconds to end."""
        self._drawing.begin()

    def report(self, missing: Missing) -> None:
        """Draws the report, if there is anything new. The results stay without it, so no error of it ends the run.

        Args:
            missing: What was missing when this command began.
        """
        if not (missing or self.state.vote_changed() or not self.directory.store.has(layout.REPORT)):
            return
        try:
            self._drawing.finish(self.callbacks.on_report_step)
        except Exception as error:
            self.callbacks.on_report_failure(str(root_cause(error)))

    # Members

    def _first_plan(self, missing: list[MemberSpec]) -> Plan:
        images, on_wait = self.inputs.data.images, self.callbacks.on_wait_for_nodes
        return first_plan(self.inputs.config, len(missing), images.shape[1:], len(images), on_wait)

    def _fit(
        self, missing: list[MemberSpec], plan: Plan, record: Callable[[MemberResult | MemberFailure], None]
    ) -> None:
        from digits_ray.scheduling import fit_members  # Ray, which a finished run can do without

        config, actor_inputs = self.inputs.config, self._actor_inputs
        started = time.monotonic()
        with closing(Replanner(config, plan)) as replanner:
            fits = fit_members(missing, actor_inputs, replanner.plan, retry_policy(config), self._on_progress)
            with closing(fits) as outcomes:
                for outcome in outcomes:
                    record(outcome)
        self.state.slot_seconds += plan.members_at_once * (time.monotonic() - started)

    @cached_property
    def _gauges(self) -> "RunGauges":
        from digits_ray.tracking import RunGauges

        return RunGauges(self.directory.store.uri)

    @cached_property
    def _actor_inputs(self) -> "ActorInputs":
        from digits_ray.scheduling import ActorInputs

        dataset, num_classes = datasets.put_dataset(self._rows), len(self.inputs.data.classes)
        probe, cache = self.directory.write_probe(), self.inputs.config.resources.compilation_cache
        networks = registered_networks(self.inputs.config.members.architectures)
        return ActorInputs(dataset, num_classes, self.directory.store, probe, cache, networks)

    @cached_property
    def _rows(self) -> datasets.Rows:
        """All rows of the run, copied together once for members and baselines."""
        return replace(datasets.combine_rows(self.inputs.data, self.inputs.folds), soft_labels=self.soft_labels)

    def _on_progress(self, statuses: list[MemberStatus]) -> None:
        self.callbacks.on_member_progress(statuses)
        self._gauges.set_members(statuses)
        self._gauges.set_ensemble(self.results.write_interim())  # where it was too early when the last member ended

    def _record_member(self, outcome: MemberResult | MemberFailure) -> None:
        """Writes one member's files, and the ensemble of the members so far."""
        if isinstance(outcome, MemberFailure):
            self.state.record_failure(outcome)
            self.callbacks.on_member_failure(outcome)
            self._refuse_too_few(outcome)
            return
        record = self.state.write_member(outcome)
        self._open_report_process()
        self.tracking.log_member(outcome.member_id, record)
        self.callbacks.on_member_end(outcome.member_id, record, self.results.write_interim())

    def _open_report_process(self) -> None:
        """Has the report's process import Keras where members train on GPUs: memory and processors are free there."""
        plan = self.state.plan
        if self._early_report and len(self.state.records) == 1 and plan and plan.gpus_per_member:
            self._drawing.open_process()

    def _record_refit(self, outcome: MemberResult | MemberFailure) -> None:
        """Writes the files of one refit."""
        if isinstance(outcome, MemberFailure):
            self.state.record_refit_failure(outcome)
            self.callbacks.on_refit_failure(outcome)
        else:
            self.callbacks.on_refit_end(outcome.member_id, self.state.write_refit(outcome))

    def _refuse_too_few(self, last: MemberFailure) -> None:
        members, failed = self.inputs.config.members, len(self.state.failures)
        if members.count - failed < members.min_members:
            raise RunError(
                f"{failed} of {members.count} members failed, fewer than min_members={members.min_members} are left. "
                f"The last one: {last.reason}"
            )

    # Baselines

    def _record_baseline(self, outcome: "SearchOutcome", validation_rows: int) -> None:
        """Writes one baseline's files."""
        kind, baselines = outcome.spec.kind, self.state.baselines
        result_json = baselines.write_outcome(outcome, validation_rows)
        if result_json:
            self.callbacks.on_baseline_end(kind, BaselineRecord.from_json(result_json))
        else:
            self.callbacks.on_baseline_failure(kind, baselines.failures[kind])


def retry_policy(config: Config) -> "RetryPolicy":
    """Returns how often a member is tried, and how long nodes are waited for."""
    from digits_ray.scheduling import RetryPolicy

    no_node_timeout = max(RetryPolicy.no_node_timeout, 60 * config.resources.wait_minutes)
    return RetryPolicy(config.members.max_attempts, no_node_timeout=no_node_timeout)
