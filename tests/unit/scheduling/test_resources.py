import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from digits_ray.errors import UserError
from digits_ray.scheduling.resources import NodeTotals, Plan, data_gib, plan, resource_bundles


def node(cpus: float, gpus: float = 0, name: str = "n1", memory_gib: float | None = None) -> NodeTotals:
    return NodeTotals(name, cpus, gpus, memory_gib)


def planned(
    nodes: NodeTotals | list[NodeTotals], members: int, gpus: Any = "auto", cpus: Any = "auto"
) -> tuple[int, float, float, int]:
    """The plan as plain numbers: slots, CPUs, GPUs and threads of a member."""
    made = plan(nodes if isinstance(nodes, list) else [nodes], members, gpus, cpus)
    return made.slots, made.cpus_per_member, made.gpus_per_member, made.threads


def refusal(*args: Any) -> str:
    with pytest.raises(UserError) as caught:
        planned(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


# CPU members


@pytest.mark.parametrize(
    ("cores", "members", "slots", "cpus"),
    [
        (1, 1, 1, 1),
        (1, 10, 1, 1),
        (2, 1, 1, 2),
        (2, 2, 2, 1),
        (2, 10, 2, 1),
        (8, 3, 3, 2),
        (8, 4, 4, 2),
        (8, 5, 5, 1),
        (96, 10, 10, 9),
        (2.5, 1, 1, 2),
    ],
)
def test_cpu_members_get_one_thread_each_and_more_only_when_cores_are_left(
    cores: float, members: int, slots: int, cpus: int
) -> None:
    assert planned(node(cores), members) == (slots, cpus, 0, cpus)


def test_cpus_are_shared_out_node_by_node_because_a_member_cannot_straddle_two() -> None:
    assert planned([node(3), node(3)], 2) == (2, 3, 0, 3)
    assert planned([node(3), node(3)], 3) == (3, 1, 0, 1)  # 6 // 3 would be 2 each, but only two such fit
    assert planned([node(2), node(8)], 3) == (3, 2, 0, 2)
    assert planned([node(2), node(16)], 3) == (3, 5, 0, 5)


def test_one_member_takes_the_whole_largest_node_and_no_more() -> None:
    assert planned([node(4), node(16), node(8)], 1) == (1, 16, 0, 16)


def test_cpu_members_use_the_gpu_nodes_too() -> None:
    assert planned([node(4, gpus=2), node(4)], 20, 0) == (8, 1, 0, 1)


def test_a_node_without_cpus_takes_no_cpu_member() -> None:
    assert planned([node(0, name="head"), node(4)], 20) == (4, 1, 0, 1)


def test_cpus_as_asked_are_given_and_become_the_threads() -> None:
    assert planned(node(8), 20, "auto", 3) == (2, 3, 0, 3)
    assert planned([node(2), node(8)], 20, "auto", 4) == (2, 4, 0, 4)


# GPU members


@pytest.mark.parametrize(
    ("gpus", "slots", "gpus_each", "cpus_each"), [(0, 16, 0, 1), (1, 1, 1, 16), (4, 4, 1, 4), (8, 8, 1, 2)]
)
def test_by_itself_each_member_takes_a_whole_gpu_and_its_share_of_the_cpus(
    gpus: int, slots: int, gpus_each: int, cpus_each: int
) -> None:
    assert planned(node(16, gpus), 24) == (slots, cpus_each, gpus_each, cpus_each)


def test_fewer_members_than_gpus_leave_gpus_idle_but_take_only_their_share_of_cpus() -> None:
    assert planned(node(32, gpus=8), 2) == (2, 4, 1, 4)


def test_24_members_at_a_quarter_of_4_gpus_train_16_at_a_time() -> None:
    assert planned(node(16, gpus=4), 24, 0.25) == (16, 1, 0.25, 1)


@pytest.mark.parametrize(
    ("fraction", "per_gpu"),
    [
        (0.5, 2),
        (0.3, 3),
        (0.3333, 3),
        (1 / 3, 3),
        (0.25, 4),
        (0.1, 10),
        (0.05, 20),
        (0.6, 1),
        (1 / 6, 6),
        (0.0001, 10_000),
    ],
)
def test_a_fraction_divides_a_gpu_without_rounding_errors(fraction: float, per_gpu: int) -> None:
    assert planned(node(20_000, gpus=1), 20_000, fraction)[0] == per_gpu


def test_a_fraction_never_straddles_two_gpus() -> None:
    assert planned(node(64, gpus=2), 24, 0.4)[0] == 4  # not 2 / 0.4 = 5


def test_several_gpus_per_member_come_from_one_node() -> None:
    assert planned([node(16, gpus=3), node(16, gpus=3)], 24, 2)[0] == 2
    assert planned([node(16, gpus=8), node(16, gpus=1)], 24, 4.0)[0] == 2


def test_too_few_cpus_are_shared_rather_than_gpus_left_idle() -> None:
    assert planned(node(2, gpus=4), 24) == (4, 0.5, 1, 1)
    assert planned(node(1, gpus=1), 24, 0.25) == (4, 0.25, 0.25, 1)
    assert planned(node(1, gpus=3), 24) == (3, 0.3333, 1, 1)
    assert planned(node(2, gpus=3), 24) == (3, 0.5, 1, 1)


def test_the_node_with_the_fewest_cpus_per_gpu_sets_the_share() -> None:
    assert planned([node(32, gpus=4), node(8, gpus=4), node(64)], 24) == (8, 2, 1, 2)


def test_nodes_without_gpus_or_without_cpus_take_no_gpu_member() -> None:
    assert planned([node(8, gpus=2), node(64), node(0, gpus=4)], 24) == (2, 4, 1, 4)


def test_cpus_as_asked_may_leave_gpus_idle_and_the_plan_says_so() -> None:
    assert planned(node(16, gpus=4), 24, "auto", 8) == (2, 8, 1, 8)
    reason = plan([node(16, gpus=4)], 24, "auto", 8).reason
    assert reason == "4 GPUs, 1 per member: 2 at a time (the CPUs suffice for 2: 8 per member)"


def test_every_plan_fits_onto_its_nodes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        nodes = [node(int(rng.integers(1, 40)), int(rng.integers(0, 9))) for _ in range(rng.integers(1, 5))]
        members = int(rng.integers(1, 60))
        made = plan(nodes, members, rng.choice([0.0, 0.1, 0.25, 1.0]) if nodes[0].gpus else "auto", "auto")
        assert made.slots >= 1
        assert made.slots == min(members, placed_one_by_one(nodes, made))


def placed_one_by_one(nodes: list[NodeTotals], made: Plan) -> int:
    """Counts members by taking their needs from the nodes, GPU by GPU, in steps of Ray's 1/10,000."""
    need_cpu, need_gpu = int(made.cpus_per_member * 10_000), int(made.gpus_per_member * 10_000)
    placed = 0
    for one in nodes:
        cpu, cards = int(one.cpus * 10_000), [10_000] * int(one.gpus)
        while cpu >= need_cpu and (need_gpu == 0 or max(cards, default=0) >= need_gpu):
            cpu -= need_cpu
            if need_gpu:
                cards[int(np.argmax(cards))] -= need_gpu
            placed += 1
    return placed


# Requests that can never be met


def test_one_and_a_half_gpus_are_refused_in_so_many_words() -> None:
    assert refusal(node(16, gpus=4), 10, 1.5) == (
        "gpus_per_member=1.5: above 1, Ray gives whole GPUs. Use 1, 2, … or a fraction below 1."
    )


def test_gpus_where_there_are_none_are_refused_with_what_was_found_and_the_cure() -> None:
    message = refusal([node(2), node(1)], 10, 0.25)
    assert message == "gpus_per_member=0.25: no GPU was found (2 nodes with 3 CPUs). Use --gpus-per-member 0."


def test_more_gpus_than_any_node_has_are_refused_although_the_cluster_has_them() -> None:
    message = refusal([node(16, gpus=2, name="small"), node(16, gpus=4, name="big", memory_gib=64)], 10, 6)
    assert message == (
        "gpus_per_member=6: the largest node (big: 16 CPUs, 4 GPUs, 64.0 GiB) has fewer."
        " Use --gpus-per-member 4 or less."
    )


def test_more_cpus_than_any_node_has_are_refused_although_the_cluster_has_them() -> None:
    message = refusal([node(4, name="small"), node(8, name="big")], 10, "auto", 9)
    assert message.startswith("cpus_per_member=9: the largest node (big: 8 CPUs, 0 GPUs) has fewer.")
    assert "--cpus-per-member 8" in message


def test_a_member_needs_its_cpus_and_its_gpus_on_one_node() -> None:
    nodes = [node(64, name="cpu-only"), node(4, gpus=1, name="gpu")]
    message = refusal(nodes, 10, "auto", 8)
    assert "largest node with 1 GPU (gpu: 4 CPUs, 1 GPU)" in message
    assert "--cpus-per-member 4" in message
    assert planned(nodes, 10, 0, 8) == (8, 8, 0, 8)


def test_nodes_without_any_cpu_are_refused() -> None:
    assert "No node has a whole CPU" in refusal(node(0), 10)
    assert "No node has 1 GPU and a CPU" in refusal([node(0, gpus=4), node(8)], 10)
    assert "Add a node with CPUs" in refusal(node(0), 10, "auto", 1)


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        ((node(2), 0), "members=0: "),
        ((node(2), -3), "members=-3: "),
        (([], 10), "The cluster has no live node."),
        ((node(2, gpus=1), 10, -0.5), "gpus_per_member=-0.5: cannot be negative."),
        ((node(2, gpus=1), 10, 0.00005), "gpus_per_member=5e-05: Ray counts in steps of 0.0001."),
        ((node(2), 10, "auto", 0), "cpus_per_member=0: "),
        ((node(2), 10, "auto", -1), "cpus_per_member=-1: "),
    ],
)
def test_senseless_numbers_are_refused_by_name(arguments: tuple[Any, ...], beginning: str) -> None:
    assert refusal(*arguments).startswith(beginning)


# The line for humans


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((2, 0, 10), "2 members at a time, 1 CPU thread each (one-thread members make the most of the CPUs)"),
        ((2, 0, 1), "1 member at a time, 2 CPU threads (fewer members than CPUs, which are shared out)"),
        ((4, 0, 10, "auto", 2), "2 members at a time, 2 CPU threads each (as asked for)"),
        ((16, 4, 24, 0.25), "4 GPUs × 4 members each at 0.25 GPU: 16 at a time"),
        ((16, 1, 24, 0.6), "1 GPU × 1 member each at 0.6 GPU: 1 at a time"),
        ((16, 4, 24), "4 GPUs, 1 per member: 4 at a time"),
        ((16, 8, 24, 2), "8 GPUs, 2 per member, which share its batches: 4 at a time"),
    ],
)
def test_the_reason_reads_as_a_sentence_in_the_right_number(arguments: tuple[Any, ...], reason: str) -> None:
    cpus, gpus, members, *asked = arguments
    gpus_per_member, cpus_per_member = [*asked, "auto", "auto"][:2] if len(asked) != 1 else [asked[0], "auto"]
    assert plan([node(cpus, gpus)], members, gpus_per_member, cpus_per_member).reason == reason


def test_planning_needs_no_ray() -> None:
    probe = "import sys, digits_ray.scheduling.resources; sys.exit('ray' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe]).returncode == 0


# Memory


def data_budget(nodes: list[NodeTotals], members: int, asked: Any = "auto") -> float:
    return data_gib(nodes, plan(nodes, members, "auto", 1), asked)


def test_a_quarter_of_a_nodes_memory_is_shared_out_for_data() -> None:
    assert data_budget([node(4, memory_gib=32)], 10) == 2
    assert data_budget([node(4, memory_gib=32)], 2) == 4  # two members, not four
    assert data_budget([node(16, gpus=2, memory_gib=64)], 10) == 8


def test_the_node_with_the_least_memory_for_a_member_sets_the_budget() -> None:
    small_but_idle = node(0, memory_gib=1)
    assert data_budget([node(4, memory_gib=32), node(4, memory_gib=16), small_but_idle], 10) == 1


def test_a_budget_that_was_asked_for_is_taken_and_unknown_memory_sets_none() -> None:
    assert data_budget([node(4, memory_gib=32)], 10, 0.5) == 0.5
    assert data_budget([node(4)], 10) == float("inf")


# More resources, and nodes that are still to come


def test_more_resources_are_a_larger_part_of_a_gpu_and_fewer_members_side_by_side() -> None:
    quarter = plan([NodeTotals("a", 8, 1, None)], 8, 0.25, "auto")
    half, whole = quarter.with_multiplier(2), quarter.with_multiplier(8)
    assert (half.gpus_per_member, half.slots, half.threads) == (0.5, 2, quarter.threads)
    assert (whole.gpus_per_member, whole.slots) == (1.0, 1)


def test_more_resources_for_cpu_members_keeps_their_threads() -> None:
    one_each = plan([NodeTotals("a", 4, 0, None)], 4, 0, "auto")
    double = one_each.with_multiplier(2)
    assert (double.cpus_per_member, double.slots, double.threads) == (2, 2, 1)
    assert one_each.with_multiplier(64).cpus_per_member == 4


def test_resource_bundles_are_one_for_each_member() -> None:
    assert resource_bundles(0.25, "auto", 3) == [{"CPU": 0.25, "GPU": 0.25}] * 3
    assert resource_bundles(2, 4, 1) == [{"CPU": 4.0, "GPU": 2.0}]
    assert resource_bundles("auto", "auto", 2) == [{"CPU": 1.0}] * 2
