"""The members' part of metrics.json."""

from dataclasses import asdict, dataclass
from typing import Any

from digits_ray.config import MemberSpec, architecture_name
from digits_ray.ensemble import MemberFailure, Scores
from digits_ray.runs.records import MemberRecord
from digits_ray.runs.scores_of_test_rows import ScoresOfTestRows
from digits_ray.runs.state import RunState


@dataclass(frozen=True)
class MemberMetrics:
    """How far one member is."""

    spec: MemberSpec
    outcome: MemberRecord | MemberFailure | None  # None: it is still to be trained
    refit: MemberRecord | MemberFailure | None  # alike, of the member's refit
    wants_refit: bool
    test: Scores | None = None  # of labelled test rows
    refit_test: Scores | None = None  # alike, by the refit

    def to_json(self) -> dict[str, Any]:
        """Returns the member's entry: a finished one's holds its result.json."""
        spec = self.spec
        values = {"id": spec.member_id, "seed": spec.seed, "architecture": architecture_name(spec.architecture)}
        values |= _outcome_json(self.outcome) | _test_json(self.test)
        if not self.wants_refit:
            return values
        refit = _outcome_json(self.refit) | _test_json(self.refit_test)
        refit.pop("holdout", None)  # no labelled row is left that could score it
        return values | {"refit": refit}


def _test_json(scores: Scores | None) -> dict[str, Any]:
    return {"test": asdict(scores)} if scores else {}


def _outcome_json(outcome: MemberRecord | MemberFailure | None) -> dict[str, Any]:
    if isinstance(outcome, MemberRecord):
        return {"status": "done"} | outcome.to_json()
    if outcome is None:
        return {"status": "waiting", "attempts": 0}
    return {"status": "failed", "attempts": outcome.attempts, "error": outcome.reason}


def members_metrics(state: RunState, test: ScoresOfTestRows | None) -> tuple[MemberMetrics, ...]:
    """Returns what is known of every member so far, by id; `test` is None where no test row was scored."""
    outcomes: dict[int, MemberRecord | MemberFailure] = {**state.failures, **state.records}
    refits: dict[int, MemberRecord | MemberFailure] = {**state.refit_failures, **state.refits}
    wanted = bool(state.inputs.refit_specs)
    scores, refit_scores = (test.members, test.refits) if test else ({}, {})

    def metrics_of_member(spec: MemberSpec) -> MemberMetrics:
        number = spec.member_id
        fits = outcomes.get(number), refits.get(number)
        return MemberMetrics(spec, *fits, wanted, scores.get(number), refit_scores.get(number))

    return tuple(map(metrics_of_member, state.inputs.specs))
