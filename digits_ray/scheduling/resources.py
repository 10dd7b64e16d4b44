"""What a cluster has and what is requested → how many members train at once. Pure arithmetic, no Ray."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from digits_ray.errors import UserError
from digits_ray.scheduling.node_totals import (
    UNIT,
    NodeTotals,
    counted,
    gpu_slots,
    most_cpus,
    most_gpus,
    node_slots,
    slots_on,
    units,
)

DATA_FRACTION = 0.25  # of a node's memory, for members' copies of the data; networks and libraries need the rest


@dataclass(frozen=True)
class Plan:
    """What each member gets, and how many get it at the same time."""

    slots: int  # processes that train at the same time, most often a member each
    cpus_per_member: float  # whole from 1 up; below 1 only where GPU members outnumber a node's CPUs
    gpus_per_member: float
    threads: int  # of TensorFlow, per member
    reason: str  # one line, for the user
    data_gib_per_member: float = math.inf  # of the data in a member's own memory; larger data are streamed
    nodes: tuple[NodeTotals, ...] = ()  # that it was made for
    warnings: tuple[str, ...] = ()  # for the user, a line each
    members_per_program: int = 1  # that a process trains at once, at most

    @property
    def members_at_once(self) -> int:
        """How many members train at the same time."""
        return self.slots * self.members_per_program

    def with_multiplier(self, times: int) -> "Plan":
        """Returns the plan for members that need more memory: so many times the resources, fewer side by side.

        The threads stay, for they decide a member's last bits. No member gets more than a whole GPU, where it had a
        part of one, nor more than some node has.
        """
        while times > 1:
            gpus = min(1.0, self.gpus_per_member * times) if self.gpus_per_member < 1 else self.gpus_per_member
            cpus = self.cpus_per_member * times
            cpus = min(cpus, 1.0) if self.cpus_per_member < 1 else cpus
            if slots := slots_on(list(self.nodes), gpus, cpus):
                return replace(self, slots=min(self.slots, slots), gpus_per_member=gpus, cpus_per_member=cpus)
            times -= 1
        return self


def plan(
    nodes: list[NodeTotals],
    members: int,
    gpus_per_member: Literal["auto"] | float,
    cpus_per_member: Literal["auto"] | int,
    noun: str = "member",
) -> Plan:
    """Fits members onto nodes; a member takes all that it needs from one node.

    Args:
        nodes: the live nodes.
        members: how many are to be trained in all.
        gpus_per_member: 0 for CPU members; "auto": one whole GPU where there are any.
        cpus_per_member: "auto": CPU members divide all CPUs among them, one each at least; GPU members get their
            part of the node's CPUs, never at the cost of a GPU slot.
        noun: what is counted.

    Raises:
        UserError: no node, no members, or a request that no node can ever satisfy (Ray would wait for ever).
    """
    _check_counts(nodes, members)
    gpus = _gpus(nodes, gpus_per_member)
    cpus = _cpus(nodes, gpus, members, cpus_per_member)
    slots = min(members, slots_on(nodes, gpus, cpus))
    threads = max(1, int(cpus))
    auto = cpus_per_member == "auto"
    reason = _gpu_reason(nodes, gpus, cpus, slots, noun) if gpus else _cpu_reason(threads, slots, auto)
    return Plan(slots, cpus, gpus, threads, reason, nodes=tuple(nodes))


def _check_counts(nodes: list[NodeTotals], members: int) -> None:
    if members < 1:
        raise UserError(f"members={members}: there is nothing to train. Use --members 1 or more.")
    if not nodes:
        raise UserError("The cluster has no live node. Start one with `ray start`, or leave --address out to run here.")


# GPUs


def _gpus(nodes: list[NodeTotals], requested: Literal["auto"] | float) -> float:
    """Returns the GPUs that each member gets, once it is sure that some node has them."""
    largest = most_gpus(nodes)
    if requested == "auto":
        return 1.0 if largest.gpus >= 1 else 0.0
    check_gpu_quantity(requested)
    if requested > 0 and largest.gpus == 0:
        found = f"{counted(len(nodes), 'node')} with {counted(sum(node.cpus for node in nodes), 'CPU')}"
        raise UserError(f"gpus_per_member={requested:g}: no GPU was found ({found}). Use --gpus-per-member 0.")
    if requested > largest.gpus:
        raise UserError(
            f"gpus_per_member={requested:g}: the largest node ({largest}) has fewer."
            f" Use --gpus-per-member {largest.gpus:g} or less."
        )
    return float(requested)


def check_gpu_quantity(gpus: Literal["auto"] | float) -> None:
    """Raises UserError for what Ray would refuse, or round down to nothing, whatever the nodes have."""
    if gpus == "auto":
        return
    if not gpus >= 0:
        raise UserError(f"gpus_per_member={gpus:g}: cannot be negative. Use 0 for members that train on CPUs.")
    if gpus > 1 and not float(gpus).is_integer():
        raise UserError(f"gpus_per_member={gpus:g}: above 1, Ray gives whole GPUs. Use 1, 2, … or a fraction below 1.")
    if 0 < gpus < 1 / UNIT:
        raise UserError(f"gpus_per_member={gpus:g}: Ray counts in steps of {1 / UNIT:g}. Use a larger fraction, or 0.")


# CPUs


def _cpus(nodes: list[NodeTotals], gpus: float, members: int, requested: Literal["auto"] | int) -> float:
    return _auto_cpus(nodes, gpus, members) if requested == "auto" else _requested_cpus(nodes, gpus, requested)


def _requested_cpus(nodes: list[NodeTotals], gpus: float, requested: int) -> float:
    """Returns the CPUs asked for, once it is sure that some node has them beside the GPUs."""
    if requested < 1:
        raise UserError(f"cpus_per_member={requested}: a member needs at least one. Use --cpus-per-member 1 or more.")
    if slots_on(nodes, gpus, requested) == 0:
        largest = most_cpus(nodes, gpus)
        beside = f" with {counted(gpus, 'GPU')}" if gpus else ""
        cure = f"Use --cpus-per-member {int(largest.cpus)} or less, or add a larger node."
        cure = cure if largest.cpus >= 1 else "Add a node with CPUs."
        raise UserError(f"cpus_per_member={requested}: the largest node{beside} ({largest}) has fewer. {cure}")
    return float(requested)


def _auto_cpus(nodes: list[NodeTotals], gpus: float, members: int) -> float:
    """Returns the most CPUs per member that cost no slot.

    CPU members get one CPU at least, and more only when there are fewer members than CPUs: on 2 cores two
    processes of one thread trained 2 × 396 images/s, one process of two threads 639 (notebook-like CNN, batch
    128, float32, n = 1). GPU members share a CPU rather than leave a GPU slot empty.
    """
    largest = most_cpus(nodes, gpus)
    slots = slots_on(nodes, gpus, 1 / UNIT if gpus else 1.0)
    if slots == 0:
        needs = f"{counted(gpus, 'GPU')} and a CPU" if gpus else "a whole CPU"
        cure = "Use --gpus-per-member 0, or give the GPU nodes CPUs." if gpus else "Add a node with CPUs."
        raise UserError(f"No node has {needs} for a member; the largest is {largest}. {cure}")
    min_slots = slots if gpus else min(members, slots)
    return next(cpus for cpus in _cpu_amounts(largest.cpus) if slots_on(nodes, gpus, cpus) >= min_slots)


def _cpu_amounts(cpus: float) -> Iterator[float]:
    """Yields whole CPUs from all of a node's down to 1, then a half, a third, …, as Ray counts them."""
    yield from (float(count) for count in range(int(cpus), 0, -1))
    yield from (UNIT // sharing / UNIT for sharing in range(2, UNIT + 1))


def resource_bundles(
    gpus_per_member: Literal["auto"] | float, cpus_per_member: Literal["auto"] | int, members: int
) -> list[dict[str, float]]:
    """Returns what members need, a bundle each, as requested of Ray's autoscaler: "auto" is a CPU, and any GPU.

    Args:
        gpus_per_member: as requested.
        cpus_per_member: as requested.
        members: how many.
    """
    gpus = 0.0 if gpus_per_member == "auto" else float(gpus_per_member)
    cpus = min(1.0, gpus or 1.0) if cpus_per_member == "auto" else float(cpus_per_member)
    return [{"CPU": cpus, **({"GPU": gpus} if gpus else {})}] * members


# Memory


def data_gib(nodes: list[NodeTotals], plan: Plan, requested: Literal["auto"] | float) -> float:
    """Returns how many GiB of data a member may keep in its own memory.

    Args:
        nodes: the live nodes; those of unknown memory set no limit.
        plan: of the members.
        requested: "auto": a quarter of the memory that Ray counts on a node, divided among the members that it holds,
            where that is least.
    """
    if requested != "auto":
        return requested
    slots = [(node, node_slots(node, plan.gpus_per_member, plan.cpus_per_member)) for node in nodes]
    budgets = [
        node.memory_gib * DATA_FRACTION / min(members, plan.slots)
        for node, members in slots
        if node.memory_gib and members
    ]
    return min(budgets, default=math.inf)


# The summary line


def _cpu_reason(threads: int, slots: int, auto: bool) -> str:
    each = " each" if slots > 1 else ""
    if not auto:
        why = "as asked for"
    elif threads > 1:
        why = "fewer members than CPUs, which are shared out"
    else:
        why = "one-thread members make the most of the CPUs"
    return f"{counted(slots, 'member')} at a time, {counted(threads, 'CPU thread')}{each} ({why})"


def _gpu_reason(nodes: list[NodeTotals], gpus: float, cpus: float, slots: int, noun: str) -> str:
    total = sum(int(node.gpus) for node in nodes if node.gpus >= gpus)
    sharing = counted(UNIT // units(gpus), noun)
    each = f" × {sharing} each at {gpus:g} GPU" if gpus < 1 else f", {gpus:g} per {noun}"
    each += ", which share its batches" if gpus > 1 else ""
    by_cpus, by_gpus = slots_on(nodes, gpus, cpus), sum(gpu_slots(node, gpus) for node in nodes)
    limit = f" (the CPUs suffice for {by_cpus}: {cpus:g} per {noun})" if by_cpus < by_gpus else ""
    return f"{counted(total, 'GPU')}{each}: {slots} at a time{limit}"
