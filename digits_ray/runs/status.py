"""How far a run is, from its directory alone: nothing of Ray, TensorFlow or the process that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from digits_ray.config import Config, MemberSpec, member_specs
from digits_ray.storage import RunDirectory, layout


@dataclass(frozen=True)
class MemberState:
    """What the run directory says about one member."""

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
    baselines: tuple[str, ...]  # that are finished
    metrics: Mapping[str, Any]  # metrics.json as last written; empty before the first member
    last_write: datetime | None  # of any file
    has_submission: bool

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
    saved = _saved_epochs(files)
    failed = {member["id"]: member["attempts"] for member in metrics.get("members", []) if member["status"] == "failed"}
    return RunStatus(
        path=run.store.uri,
        config=config,
        members=tuple(_member(run, spec, saved, failed, files) for spec in member_specs(config)),
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


def _saved_epochs(files: Mapping[str, datetime]) -> dict[int, tuple[int, int]]:
    """Returns the last saved epoch and the attempts of each unfinished member, by its id."""
    saved: dict[int, tuple[int, int]] = {}
    for name in files:
        if file := layout.SavedEpochFile.parse(name):
            epoch, attempt = saved.get(file.member_id, (0, 0))
            saved[file.member_id] = (max(epoch, file.epoch), max(attempt, file.attempt_number))
    return saved


def _member(
    run: RunDirectory,
    spec: MemberSpec,
    saved: Mapping[int, tuple[int, int]],
    failed: Mapping[int, int],
    files: Mapping[str, datetime],
) -> MemberState:
    number = spec.member_id
    record = run.members.result(spec) if layout.member_file(number, layout.RESULT) in files else None
    if record:
        return MemberState(spec, "done", record["epochs"], record["attempts"], record["holdout"])
    epoch, attempts = saved.get(number, (0, 0))
    if number in failed:
        return MemberState(spec, "failed", epoch, failed[number])
    return MemberState(spec, "unfinished" if epoch else "waiting", epoch, attempts)
