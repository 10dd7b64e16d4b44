"""Trains members on the Ray that a test has started."""

from collections.abc import Callable
from pathlib import Path

from factories import CLASSES, rows_of

from digits_ray.config import MemberSpec
from digits_ray.data import Rows, share
from digits_ray.predictions import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.resources import Plan
from digits_ray.store import Store
from digits_ray.trainer import Shared, fit_members

TWO_SLOTS = Plan(slots=2, cpus_per_member=1, gpus_per_member=0, threads=1, reason="")


def train(
    specs: list[MemberSpec],
    place: Path,
    rows: Rows | None = None,
    a_plan: Plan = TWO_SLOTS,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
) -> dict[int, MemberResult | MemberFailure]:
    shared = Shared(share(rows or rows_of()), CLASSES, Store.at(str(place)))
    outcomes = list(fit_members(specs, shared, lambda: a_plan, max_attempts=2, on_status=on_status))
    assert len(outcomes) == len(specs)
    return {outcome.member_id: outcome for outcome in outcomes}
