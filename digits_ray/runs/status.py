"""How far a run is, from its directory alone: nothing of Ray, TensorFlow or the process that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from digits_ray.config import Config, MemberSpec, member_specs, refit_specs
from digits_ray.storage import RunDirectory, layout

SavedEpochs = Mapping[tuple[int, bool], tuple[int, int]]  # by a member's id, and whether it is its refit


@dataclass(frozen=True)
class MemberState:
    """What the run directory says about one member, or about its refit."""

    spec: MemberSpec
    state: str  # "done", "failed", "unfinished" (some epochs are saved) or "waiting"
    epoch: int  # that are finished or saved
    attempts: int
    holdout: Mapping[str, Any] | None = None  # its scores


@dataclass(frozen=True)
class RunStatus:
    """What the run directory says about the run."""

    path: str
    config: Config
    members: tuple[MemberState, ...]
    refits: tuple[MemberState, ...]  # by the member's id; none where no refit is wanted
    baselines: tuple[str, ...]  # that are finished
    metrics: Mapping[str, Any]  # metrics.json as last written; empty before the first member
    last_write: datetime | None  # of any file
    has_submission: bool

    @property
    def refitted(self) -> int:
        return sum(refit.state == "done" for refit in self.refits)

    @property
    def done(self) -> int:
        return sum(member.state == "done" for member in self.members)


def status_of(out: str) -> RunStatus:
    """Looks into a run directory, while it is written or afterwards.

    Args:
        out: The run's `out`: a path or URI.

    Raises:
        UserError: it holds no run.
    """
    run = RunDirectory.existing(out)
    config, metrics = run.config(), run.read_json(layout.METRICS) or {}
    files = run.store.written()
    saved, failed = _saved_epochs(files), _failed_attempts(metrics)
    return RunStatus(
        path=run.store.uri,
        config=config,
        members=tuple(_member(run, spec, saved, failed, files) for spec in member_specs(config)),
        refits=tuple(_member(run, spec, saved, failed, files) for spec in refit_specs(config)),
        baselines=tuple(kind for name in sorted(files) if (kind := layout.finished_baseline(name))),
        metrics=metrics,
        last_write=max(files.values(), default=None),
        has_submission=layout.SUBMISSION in files,
    )


def age(moment: datetime, now: datetime | None = None) -> str:
    """Returns "12 s ago", "3 min ago", "5 h ago" or "2 days ago"."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name} ago"
    return f"{seconds:.0f} s ago"


def _failed_attempts(metrics: Mapping[str, Any]) -> dict[tuple[int, bool], int]:
    """Returns the attempts of each member that was given up, by its id, and whether it is its refit."""
    members = metrics.get("members", [])
    fits = [(member["id"], False, member) for member in members]
    fits += [(member["id"], True, member["refit"]) for member in members if "refit" in member]
    return {(number, refit): fit["attempts"] for number, refit, fit in fits if fit["status"] == "failed"}


def _saved_epochs(files: Mapping[str, datetime]) -> SavedEpochs:
    """Returns the last saved epoch and the attempts of each unfinished fit."""
    saved: dict[tuple[int, bool], tuple[int, int]] = {}
    for name in files:
        if file := layout.SavedEpochFile.parse(name):
            epoch, attempt = saved.get((file.member_id, file.refit), (0, 0))
            saved[file.member_id, file.refit] = (max(epoch, file.epoch), max(attempt, file.attempt_number))
    return saved


def _member(
    run: RunDirectory,
    spec: MemberSpec,
    saved: SavedEpochs,
    failed: Mapping[tuple[int, bool], int],
    files: Mapping[str, datetime],
) -> MemberState:
    number, refit = spec.member_id, spec.is_refit
    is_written = layout.member_file(number, layout.RESULT, refit=refit) in files
    record = (run.refits if refit else run.members).result(spec) if is_written else None
    if record:
        return MemberState(spec, "done", record["epochs"], record["attempts"], record["holdout"])
    epoch, attempts = saved.get((number, refit), (0, 0))
    if (number, refit) in failed:
        return MemberState(spec, "failed", epoch, failed[number, refit])
    return MemberState(spec, "unfinished" if epoch else "waiting", epoch, attempts)
