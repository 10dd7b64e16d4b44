"""Trains members on the Ray that a test has started: in numpy, unless the test is about real networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from factories import CLASSES, rows_of
from gate import open_gate

from digits_ray.config import MemberSpec
from digits_ray.data import Rows, put_dataset
from digits_ray.ensemble.predictions import MemberFailure, MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.scheduling import trainer
from digits_ray.scheduling.resources import Plan
from digits_ray.scheduling.trainer import ActorInputs, RetryPolicy, fit_members
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store

REAL = "gate:prepare_real_fit"
NUMPY = "gate:prepare_numpy_fit"
MIXED = "numpy_fit:prepare_mixed_fit"  # real networks for the architecture `compact` alone
TWO_FAILURES = RetryPolicy(max_failures=2)
ONE_SLOT = Plan(slots=1, cpus_per_member=1, gpus_per_member=0, threads=1, reason="")  # one process for all members
TWO_SLOTS = Plan(slots=2, cpus_per_member=1, gpus_per_member=0, threads=1, reason="")


def train(
    specs: list[MemberSpec],
    out: Path,
    rows: Rows | None = None,
    a_plan: Plan = TWO_SLOTS,
    on_status: Callable[[list[MemberStatus]], None] = lambda statuses: None,
    policy: RetryPolicy = TWO_FAILURES,
    plan: Callable[[int], Plan] | None = None,
    prepare_fit: str = NUMPY,
) -> dict[int, MemberResult | MemberFailure]:
    inputs = inputs_at(out, rows, prepare_fit)
    with mock.patch.object(trainer, "POLL_SECONDS", 0.05):  # these members are done in a second or two
        try:
            outcomes = list(fit_members(specs, inputs, plan or (lambda left: a_plan), policy, on_status))
        finally:
            open_gate()  # the next test's members pass
    assert len(outcomes) == len(specs)
    return {outcome.member_id: outcome for outcome in outcomes}


def results(outcomes: dict[int, Any]) -> dict[int, MemberResult]:
    """The outcomes, all of which are results."""
    assert all(isinstance(outcome, MemberResult) for outcome in outcomes.values()), outcomes
    return outcomes


def inputs_at(out: Path, rows: Rows | None = None, prepare_fit: str = NUMPY) -> ActorInputs:
    store = Store.at(str(out))
    return ActorInputs(
        put_dataset(rows or rows_of()), CLASSES, store, RunDirectory(store).write_probe(), prepare_fit=prepare_fit
    )
