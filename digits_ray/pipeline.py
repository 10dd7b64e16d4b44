"""The straight line from files to a submission."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from digits_ray import data as datasets
from digits_ray import resources
from digits_ray.config import ARCHITECTURES, Config, MemberSpec, member_specs
from digits_ray.errors import RunError, UserError
from digits_ray.predictions import MemberFailure, MemberResult
from digits_ray.results import Results
from digits_ray.rundir import RunDirectory
from digits_ray.runs import Run
from digits_ray.session import nodes, session
from digits_ray.view import View


def run(config: Config, view: View | None = None) -> Run:
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
    started, view = time.monotonic(), view or View()
    config = replace(config, out=config.out or new_place())
    data = datasets.load(config.data)
    folds = datasets.split(data, config.split, config.seed)
    specs = member_specs(config)
    check_image_size(specs, data)
    record = _record(data, config)
    directory = RunDirectory.at(str(config.out), config, record)
    with closing(directory), view:
        results = Results(directory, config, data, folds, specs, started)
        view.data(data, datasets.check(data), folds)
        missing = results.take_finished()
        if missing:
            _train(missing, results, record, view)
        metrics = results.finish()
        view.finished(metrics, str(config.out))
    return Run(directory)


def new_place() -> str:
    """Returns a new run directory's path, named by the time."""
    return datetime.now(UTC).strftime("runs/%Y-%m-%dT%H-%M-%SZ")


def _train(missing: list[MemberSpec], results: Results, record: Mapping[str, Any], view: View) -> None:
    config, directory = results.config, results.run
    with session(config.resources):
        from digits_ray.trainer import Shared, fit_members  # Ray, which a finished run can do without

        results.plan = _plan(config, len(missing))
        directory.claim(config, record)
        view.plan(results.plan, len(results.specs), len(missing), str(config.out))
        dataset = datasets.share(datasets.gather(results.data, results.folds))
        shared = Shared(dataset, len(results.data.classes), directory.store)
        plan, attempts = lambda: _plan(config, len(missing)), config.members.max_attempts
        with closing(fit_members(missing, shared, plan, attempts, view.members)) as outcomes:
            for outcome in outcomes:
                _take(outcome, results, view)


def _take(outcome: MemberResult | MemberFailure, results: Results, view: View) -> None:
    """Keeps one member's outcome, and the ensemble of the members so far."""
    if isinstance(outcome, MemberFailure):
        results.failures[outcome.member_id] = outcome
        view.member_failed(outcome)
        _refuse_too_few(results, outcome)
        return
    record = results.keep(outcome)
    metrics = results.write(final=False)
    view.member_done(outcome.member_id, record, metrics)


def _refuse_too_few(results: Results, last: MemberFailure) -> None:
    members, failed = results.config.members, len(results.failures)
    if members.count - failed < members.min_members:
        raise RunError(
            f"{failed} of {members.count} members failed, fewer than min_members={members.min_members} are left. "
            f"The last one: {last.error_type}: {last.message}"
        )


def _plan(config: Config, members: int) -> resources.Plan:
    share = config.resources
    return resources.plan(nodes(), members, share.gpus_per_member, share.cpus_per_member)


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
