"""The plan of a training while nodes come and go."""

import pytest

from digits_ray.errors import RunError, UserError
from digits_ray.scheduling.current_plan import CurrentPlan
from digits_ray.scheduling.resources import Plan

NONE_LEFT = UserError("no node has 2 CPUs")


def plan_of(slots: int) -> Plan:
    return Plan(slots=slots, gpus_per_member=0, cpus_per_member=1, threads=1, reason="")


def current_plan(*plans: Plan | UserError, no_node_timeout: float = 60.0) -> CurrentPlan:
    """A plan that is made so, time after time."""
    left = iter(plans)

    def make_plan(members: int) -> Plan:
        made = next(left)
        if isinstance(made, UserError):
            raise made
        return made

    return CurrentPlan(make_plan, 8, no_node_timeout)


def test_a_lost_cluster_leaves_no_slots_until_a_node_joins() -> None:
    current = current_plan(plan_of(4), NONE_LEFT, plan_of(2))
    slots = [current.plan.slots]
    for _ in range(2):
        current.renew(unfinished=8, waiting=8)
        slots.append(current.plan.slots)
    assert slots == [4, 0, 2]


def test_members_in_training_go_on_where_no_other_could_start() -> None:
    current = current_plan(plan_of(4), NONE_LEFT, no_node_timeout=-1.0)
    current.renew(unfinished=4, waiting=0)
    assert current.plan.slots == 4


def test_members_that_wait_for_too_long_end_the_training_with_the_reason() -> None:
    current = current_plan(plan_of(4), NONE_LEFT, no_node_timeout=-1.0)
    with pytest.raises(RunError, match=r"^8 members wait and no node can hold one: no node has 2 CPUs"):
        current.renew(unfinished=8, waiting=8)
