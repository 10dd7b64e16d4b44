"""How many members are one program, and which of those that wait go on together. No Ray."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from factories import spec_of

from digits_ray.config import ALL_ROWS, Config, MembersConfig, Recipe, ResourcesConfig
from digits_ray.scheduling.planner import plan_members
from digits_ray.scheduling.resources import NodeTotals
from digits_ray.scheduling.retries import Attempt
from digits_ray.scheduling.stacks import next_stack, state_to_continue

ONE_GPU = NodeTotals("gpu", cpus=8, gpus=1, memory_gib=None, gpu_gib=80)
FOUR_GPUS = replace(ONE_GPU, cpus=16, gpus=4)
JAX_RECIPE = Recipe(backend="jax")
NO_GPU = replace(ONE_GPU, gpus=0)


def waiting(*members: int, **recipe: Any) -> deque[Attempt]:
    return deque(Attempt(spec_of(number, seed=number, **recipe)) for number in members)


@dataclass
class Saved:
    """A member's saved epochs, each of which is its number as text."""

    epochs: tuple[int, ...] = ()

    def latest_epoch(self) -> int:
        return max(self.epochs, default=0)

    def candidates(self, last_epoch: int | None = None) -> Any:
        return iter([epoch for epoch in sorted(self.epochs, reverse=True) if last_epoch is None or epoch <= last_epoch])


def stack_of(queue: deque[Attempt], size: int, **epochs: tuple[int, ...]) -> tuple[list[int], int | None]:
    """Returns the members of the next stack, and the epoch from which they go on; `m3=(1, 2)` are saved epochs."""
    stack = next_stack(queue, size, lambda attempt: Saved(epochs.get(f"m{attempt.member_id}", ())))  # type: ignore[arg-type, return-value]
    return [attempt.member_id for attempt in stack.attempts], stack.last_epoch


def test_members_of_one_kind_go_through_the_queue_together() -> None:
    queue = waiting(0, 1, 2, 3, 4)
    assert stack_of(queue, 2) == ([0, 1], 0)
    assert stack_of(queue, 2) == ([2, 3], 0)
    assert stack_of(queue, 2) == ([4], 0)


def test_without_stacks_each_member_is_the_next() -> None:
    queue = waiting(0, 1)
    assert stack_of(queue, 1) == ([0], None)
    assert len(queue) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"spec": spec_of(1, architecture="deotte_plain")},
        {"spec": spec_of(1, epochs=3)},
        {"spec": spec_of(1, fold=ALL_ROWS)},
        {"resource_multiplier": 2},
        {"failures": 1},
    ],
)
def test_a_member_of_another_kind_waits_for_its_turn(change: dict[str, Any]) -> None:
    queue = waiting(0, 1, 2)
    queue[1] = replace(queue[1], **change)
    assert stack_of(queue, 3) == ([0, 2], 0)
    assert [attempt.member_id for attempt in queue] == [1]


def test_a_member_that_has_failed_by_itself_is_trained_alone() -> None:
    queue = waiting(0, 1)
    queue[0] = replace(queue[0], failures=1)
    assert stack_of(queue, 2) == ([0], None)


def test_an_own_network_is_trained_alone() -> None:
    assert stack_of(waiting(0, 1, architecture="nets.py:build"), 2) == ([0], None)


def test_a_stack_killed_while_it_saved_goes_on_from_the_last_epoch_that_all_have() -> None:
    assert stack_of(waiting(0, 1, 2), 3, m0=(7, 8), m1=(6, 7), m2=(7, 8)) == ([0, 1, 2], 7)


def test_members_that_are_further_apart_are_not_one_stack() -> None:
    queue = waiting(0, 1, 2, 3)
    assert stack_of(queue, 4, m0=(7,), m1=(6,), m2=(8,), m3=(7,)) == ([0, 1, 3], 6)
    assert stack_of(queue, 4, m2=(8,)) == ([2], 8)


@pytest.mark.parametrize(
    ("epochs", "last_epoch", "continued"),
    [((6, 7), 6, 6), ((6, 7), None, 7), ((7,), 6, 7), ((1,), 0, None), ((), 3, None)],
)
def test_what_is_continued_is_the_epoch_that_all_have_or_else_the_members_latest(
    monkeypatch, epochs: tuple[int, ...], last_epoch: int | None, continued: int | None
) -> None:
    monkeypatch.setattr("digits_ray.scheduling.stacks.latest_state", lambda states, backend: next(states, None))
    assert state_to_continue(Saved(epochs), last_epoch, "jax") == continued  # type: ignore[arg-type]


def config_of(
    count: int, members_per_program: int | Literal["auto"], recipe: Recipe = JAX_RECIPE, **resources: Any
) -> Config:
    stacked = ResourcesConfig(members_per_program=members_per_program, **resources)
    return Config(members=MembersConfig(count=count, recipe=recipe), resources=stacked)


@pytest.mark.parametrize(
    ("nodes", "count", "requested", "size", "slots"),
    [
        ([ONE_GPU], 20, 4, 4, 2),
        ([ONE_GPU], 3, 8, 3, 1),
        ([ONE_GPU], 10, 8, 5, 2),  # two of five, not one of eight and one of two
        ([FOUR_GPUS], 20, 8, 5, 4),  # each GPU has some
        ([FOUR_GPUS], 4, 8, 1, 4),
        ([ONE_GPU], 20, 1, 1, 2),
    ],
)
def test_stacks_are_as_large_as_requested_as_long_as_every_gpu_has_one(
    nodes: list[NodeTotals], count: int, requested: int, size: int, slots: int
) -> None:
    plan = plan_members(config_of(count, requested), nodes)
    assert (plan.members_per_program, plan.slots, plan.members_at_once) == (size, slots, size * slots)
    again = plan_members(config_of(count, requested, gpus_per_member=plan.gpus_per_member), nodes)
    assert (again.members_per_program, again.slots) == (size, slots)


def test_the_plan_says_that_stacks_share_a_gpu() -> None:
    reason = plan_members(config_of(20, 4), [ONE_GPU]).reason
    assert reason.startswith("1 GPU × 2 stacks each at 0.5 GPU: 2 at a time; two stacks share a GPU")
    assert reason.endswith("up to 4 members train as one program, a stack")


def test_stacks_that_do_not_fit_a_gpu_together_have_it_in_turn() -> None:
    plan = plan_members(config_of(20, 8), [ONE_GPU], member_gib=6.0)
    assert "80 GiB do not hold two stacks of 48.0 GiB each" in plan.reason
    assert plan.slots == 1


@pytest.mark.parametrize(
    ("nodes", "count", "member_gib", "size", "slots"),
    [
        ([ONE_GPU], 20, 0.2, 10, 2),
        ([ONE_GPU], 60, 0.2, 10, 2),
        ([FOUR_GPUS], 20, 0.2, 5, 4),
        ([ONE_GPU], 20, 6.0, 6, 2),  # 38.5 of 80 GiB are for a stack's tensors
        ([ONE_GPU], 20, 50.0, 1, 1),
        ([NO_GPU], 20, 0.2, 1, 8),
    ],
)
def test_by_itself_a_stack_has_up_to_ten_members_that_fit_half_a_gpu(
    nodes: list[NodeTotals], count: int, member_gib: float, size: int, slots: int
) -> None:
    plan = plan_members(config_of(count, "auto"), nodes, member_gib)
    assert (plan.members_per_program, plan.slots, plan.warnings) == (size, slots, ())


def test_members_of_two_kinds_are_two_stacks_side_by_side() -> None:
    config = config_of(5, "auto")
    object.__setattr__(config.members, "architectures", ("deotte_wide", "vgg_small"))
    plan = plan_members(config, [ONE_GPU], 1.6)
    assert (plan.slots, plan.members_per_program) == (2, 3)


def test_every_member_with_a_network_of_ones_own_has_a_slot_beside_the_stacks() -> None:
    config = config_of(10, "auto")
    object.__setattr__(config.members, "architectures", ("compact", "/nets.py:build@0123456789ab"))
    eight_gpus = replace(ONE_GPU, cpus=32, gpus=8)
    plan = plan_members(config, [eight_gpus], 0.2)
    assert (plan.members_per_program, plan.slots, plan.gpus_per_member) == (2, 8, 1)  # 2 + 2 + 1 and five by themselves


@pytest.mark.parametrize(
    ("recipe", "resources"),
    [
        (Recipe(), {}),
        (Recipe(backend="jax", schedule="plateau", validation=0.1), {}),
        (Recipe(), {"gpus_per_member": 2}),
    ],
)
def test_by_itself_nothing_is_stacked_that_cannot_be(recipe: Recipe, resources: dict[str, Any]) -> None:
    plan = plan_members(config_of(20, "auto", recipe, **resources), [FOUR_GPUS])
    assert (plan.members_per_program, plan.warnings) == (1, ())


def test_on_cpus_each_member_trains_by_itself_and_the_run_says_so() -> None:
    plan = plan_members(config_of(20, 4), [NO_GPU])
    assert plan.members_per_program == 1
    assert plan.warnings == ("resources.members_per_program=4: there is no GPU, so each member trains by itself.",)


def test_members_with_a_network_of_ones_own_train_by_themselves_and_the_run_says_so() -> None:
    config = config_of(20, 4)
    own = "/nets.py:build@0123456789ab"
    told = ("resources.members_per_program=4: members with a network of your own train by themselves.",)
    for architectures, size in (((own,), 1), (("compact", own), 4)):
        object.__setattr__(config.members, "architectures", architectures)
        plan = plan_members(config, [ONE_GPU])
        assert (plan.members_per_program, plan.warnings) == (size, told)


@pytest.mark.parametrize(
    ("recipe", "resources", "message"),
    [
        ({}, {}, "members_per_program=2 needs JAX. Set members.recipe.backend to jax, or leave it out"),
        ({"backend": "jax", "schedule": "plateau", "validation": 0.1}, {}, "each member's plateau has a learning rate"),
        ({"backend": "jax"}, {"gpus_per_member": 2}, "members of a stack train on one GPU"),
    ],
)
def test_what_cannot_be_stacked_is_refused_in_one_line(
    recipe: dict[str, Any], resources: dict[str, Any], message: str
) -> None:
    members = MembersConfig(recipe=Recipe(**recipe))
    with pytest.raises(ValueError, match=message):
        Config(members=members, resources=ResourcesConfig(members_per_program=2, **resources))
