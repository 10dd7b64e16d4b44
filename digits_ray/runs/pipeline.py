"""The straight line from files to a submission."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from digits_ray import data as datasets
from digits_ray.scheduling import resources
from digits_ray.baselines import SearchPlan, plan_search
from digits_ray.baselines import BaselineSpec
from digits_ray.config import ARCHITECTURES, Config, MemberSpec, Recipe, member_specs
from digits_ray.data import Rows
from digits_ray.errors import RunError, UserError
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.runs.state import RunState
from digits_ray.storage import RunDirectory
from digits_ray.runs.finished_run import Run
from digits_ray.scheduling import in_job, live_nodes, live_nodes_by_id, ray_session
from digits_ray.tracking import Tracking, check_tracking
from digits_ray.runs.callbacks import RunCallback

WAIT_SECONDS = 2.0  # between two looks for a node that is still to come


def run(config: Config, view: RunCallback | None = None) -> Run:
    """Trains what is missing of the ensemble; writes its submission, scores and models to the run directory.

    Args:
        config: The whole run. Without `out`, a new directory runs/<UTC time> is made.
        view: Told how the run goes on; silent by default.

    Returns:
        The finished run, as `load_run` loads it.

    Raises:
        UserError: something that the user must change: a file, a setting, the resources asked for.
        RunError: fewer than `members.min_members` could be trained.
    """
    return _go(config, view or RunCallback(), members=True)


def tune(config: Config, view: RunCallback | None = None) -> Run:
    """Searches what is missing of the classical baselines, and nothing else, in the same run directory.

    Members that are there already are kept and compared with; `run` on the same directory adds those that are missing.
    Arguments, result and errors as for `run`.
    """
    return _go(replace(config, baselines=replace(config.baselines, enabled=True)), view or RunCallback(), members=False)


def _go(config: Config, view: RunCallback, *, members: bool) -> Run:
    started = time.monotonic()
    resources.check_gpu_quantity(config.resources.gpus_per_member)
    config = replace(config, out=resolve_out(config))
    data = datasets.load(config.data)
    folds = datasets.split(data, config.split, config.seed)
    specs = member_specs(config)
    if members:
        check_image_size(specs, data)
        check_backend(config.members.recipe)
    check_tracking(config.tracking.mlflow)
    search = plan_search(config, data, folds) if config.baselines.enabled else None
    record = _record(data, config)
    directory = RunDirectory.at(str(config.out), config, record)
    with closing(directory), view:
        tracking = Tracking(config.tracking.mlflow, directory, view.on_tracking_failure)
        results = RunState(directory, config, data, folds, specs, started, tracking)
        view.on_data_loaded(data, datasets.check(data), folds)
        untrained = results.take_finished()
        missing = untrained if members else []
        wanted = results.baselines.take_finished(search.specs if search else None)
        stands = not (missing or wanted) and results.stands()
        if missing or wanted:
            _work(missing, wanted, search, results, record, view)
        elif not stands:
            directory.claim(config, record, view.on_wait_for_directory)
            results.keep_samples()
        metrics = results.before if stands else results.finish()
        results.tracking.finished(metrics)
        if missing or wanted or results.votes_otherwise() or not directory.store.has("report.html"):
            _draw(results, view)
    return Run(directory)


def _draw(results: RunState, view: RunCallback) -> None:
    """Draws the report. The run's results stand without it, so whatever goes wrong here is told and no more."""
    from digits_ray.report import draw_report  # not needed by a run until it ends

    try:
        draw_report(results.run.store.uri, view.on_report_step)
    except Exception as error:
        view.on_report_failure(f"{type(error).__name__}: {error}")


def resolve_out(config: Config) -> str:
    """Returns the run directory's path or URI: `out`, or a new one named by the time.

    Raises:
        UserError: it would be lost, since it lies in the folder of a job, which Ray deletes.
    """
    if in_job() and not _lasts(config.out or ""):
        raise UserError(
            f"--out {config.out or 'was not given, and runs/'}: the folder of a job is deleted when the job ends."
            " Give an absolute path, best on storage that all nodes share, or s3:// or gs://."
        )
    return config.out or new_run_path()


def new_run_path() -> str:
    """Returns a new run directory's path, named by the time."""
    return datetime.now(UTC).strftime("runs/%Y-%m-%dT%H-%M-%SZ")


def _lasts(out: str) -> bool:
    return "://" in out or Path(out).expanduser().is_absolute()


def _work(
    missing: list[MemberSpec],
    wanted: list[BaselineSpec],
    search: SearchPlan | None,
    results: RunState,
    record: Mapping[str, Any],
    view: RunCallback,
) -> None:
    """Trains members, then searches baselines: each in turn has the whole cluster, so neither waits for the other."""
    with ray_session(results.config.resources):
        results.plan = _first_plan(missing, results, view) if missing else None
        results.run.claim(results.config, record, view.on_wait_for_directory)
        results.keep_samples()
        rows = datasets.all_rows(results.data, results.folds)
        if results.plan:
            view.on_plan(results.plan, len(results.specs), len(missing), str(results.config.out))
            _train(missing, results.plan, rows, results, view)
        if wanted and search:
            _search(wanted, search, rows, results, view)


def _train(missing: list[MemberSpec], first: resources.Plan, rows: Rows, results: RunState, view: RunCallback) -> None:
    from digits_ray.scheduling import AutoscalerRequest  # Ray, which a finished run can do without
    from digits_ray.tracking import Meters
    from digits_ray.scheduling import RetryPolicy, ActorInputs, fit_members

    run, share = results.run, results.config.resources
    shared = ActorInputs(datasets.put_dataset(rows), len(results.data.classes), run.store, run.write_probe())
    homeless = max(RetryPolicy.no_node_timeout, 60 * share.wait_minutes)
    patience = RetryPolicy(results.config.members.max_attempts, no_node_timeout=homeless)

    # Nodes may come and go; the kind of device and the threads stay, for they decide the last bits.
    same_device = replace(results.config, resources=replace(share, gpus_per_member=first.gpus_per_member))

    def plan(unfinished: int) -> resources.Plan:
        lacking = unfinished
        try:
            found = _plan(same_device)
            lacking -= found.slots
            return replace(found, threads=first.threads)
        finally:
            if share.wait_minutes:
                request.resize(resources.resource_bundles(first.gpus_per_member, share.cpus_per_member, max(0, lacking)))

    meters = Meters(run.store.uri)

    def on_status(statuses: list[MemberStatus]) -> None:
        view.on_member_progress(statuses)
        meters.members(statuses)
        meters.ensemble(results.keep_current())  # where it was too early to write it when the last member ended

    started = time.monotonic()
    with closing(AutoscalerRequest()) as request, closing(fit_members(missing, shared, plan, patience, on_status)) as outcomes:
        for outcome in outcomes:
            _take(outcome, results, view)
    results.slot_seconds = first.slots * (time.monotonic() - started)
    view.on_training_end(results.keep_current(at_once=True))  # what comes next may take long


def _search(wanted: list[BaselineSpec], search: SearchPlan, rows: Rows, results: RunState, view: RunCallback) -> None:
    from digits_ray.baselines import find_baselines

    def plan(fits: int) -> resources.Plan:
        """Plans for so many trials or fits: CPUs alone, each thread on a CPU of its own."""
        share = lambda: resources.plan(live_nodes(), fits, 0, "auto")  # noqa: E731
        minutes = results.config.resources.wait_minutes
        return _as_soon_as_possible(share, resources.resource_bundles(0, "auto", fits), minutes, view)

    for found in find_baselines(wanted, search, rows, results.run, plan, view.on_search_progress):
        record = results.baselines.keep(found, len(search.validation))
        if record:
            view.on_baseline_end(found.spec.kind, record)
        else:
            view.on_baseline_failure(found.spec.kind, results.baselines.failures[found.spec.kind])


def _take(outcome: MemberResult | MemberFailure, results: RunState, view: RunCallback) -> None:
    """Keeps one member's outcome, and the ensemble of the members so far."""
    if isinstance(outcome, MemberFailure):
        results.failures[outcome.member_id] = outcome
        view.on_member_failure(outcome)
        _refuse_too_few(results, outcome)
        return
    record = results.keep(outcome)
    results.tracking.member(outcome.member_id, record)
    view.on_member_end(outcome.member_id, record, results.keep_current())


def _refuse_too_few(results: RunState, last: MemberFailure) -> None:
    members, failed = results.config.members, len(results.failures)
    if members.count - failed < members.min_members:
        raise RunError(
            f"{failed} of {members.count} members failed, fewer than min_members={members.min_members} are left. "
            f"The last one: {last.error_type}: {last.message}"
        )


def _first_plan(missing: list[MemberSpec], results: RunState, view: RunCallback) -> resources.Plan:
    """Plans as soon as there is a node to plan with; where nobody has said how many share a GPU, it is tried out."""
    config, share = results.config, results.config.resources
    lacking = resources.resource_bundles(share.gpus_per_member, share.cpus_per_member, len(missing))
    first = _as_soon_as_possible(lambda: _plan(config), lacking, share.wait_minutes, view)
    if share.gpus_per_member != "auto" or first.gpus_per_member == 0:
        return first
    from digits_ray.scheduling import gpu_sharing

    found, data = live_nodes_by_id(), results.data
    most = resources.most_on_a_gpu(list(found.values()), len(missing))
    if most == 1:
        return first
    view.on_gpu_sharing_trial(most)
    node_id = next(name for name, node in found.items() if node is resources.most_gpus(found.values()))
    loads = gpu_sharing.measure_throughputs(missing[0], data.images.shape[1:], len(data.classes), node_id, most)
    if not loads:
        return first
    part = 1 / gpu_sharing.best_throughput(loads).members
    shared = _plan(replace(config, resources=replace(share, gpus_per_member=part)))
    return replace(shared, reason=f"{shared.reason}; tried on one: {', '.join(map(str, loads))}")


def _as_soon_as_possible(
    plan: Callable[[], resources.Plan], lacking: list[dict[str, float]], minutes: float, view: RunCallback
) -> resources.Plan:
    """Plans once there is a node to plan with; until then an autoscaler is shown what is lacking.

    Raises:
        UserError: there is none, within so many minutes.
    """
    from digits_ray.scheduling import AutoscalerRequest

    started = time.monotonic()
    with closing(AutoscalerRequest()) as request:
        while True:
            try:
                return plan()
            except UserError as error:
                if time.monotonic() - started >= 60 * minutes:
                    raise UserError(f"{error}{f' (waited {minutes:g} minutes)' if minutes else ''}") from None
                request.resize(lacking)
                view.on_wait_for_nodes(str(error), minutes)
                time.sleep(WAIT_SECONDS)


def _plan(config: Config) -> resources.Plan:
    """Plans for the whole ensemble, not for what is missing of it: the number of threads decides the last bits."""
    share = config.resources
    found = live_nodes()
    plan = resources.plan(found, config.members.count, share.gpus_per_member, share.cpus_per_member)
    return replace(plan, data_gib_per_member=resources.data_gib(found, plan, share.data_gib_per_member))


def _record(data: datasets.Data, config: Config) -> dict[str, Any]:
    """Returns data.json: what went in, by content."""
    return {**data.fingerprint(), "split": {**vars(config.split), "seed": config.seed}}


def check_image_size(specs: list[MemberSpec], data: datasets.Data) -> None:
    """Raises UserError when the images are too small for an architecture: its layers would leave nothing."""
    side = min(data.images.shape[1:])
    for name in dict.fromkeys(spec.architecture for spec in specs):
        if side < ARCHITECTURES[name]:
            raise UserError(
                f"members.architectures: {name!r} needs images of {ARCHITECTURES[name]} pixels a side or more, these"
                f" have {side}. Use 'compact'."
            )


def check_backend(recipe: Recipe) -> None:
    """Raises UserError when the recipe's backend is not installed here; nodes have what the driver has."""
    if recipe.backend == "jax" and find_spec("jax") is None:
        raise UserError("members.recipe.backend: no jax here. pip install 'digits-ray[jax]', or use tensorflow.")
