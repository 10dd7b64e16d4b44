"""From the live nodes to a plan: at the start of a run, and again while nodes come and go.

`resources` is the arithmetic; this decides when it is done, for which nodes, and what is requested of an autoscaler.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from digits_ray.config import Config
from digits_ray.errors import UserError
from digits_ray.scheduling import gpu_sharing, resources, stacks
from digits_ray.scheduling.gpu_probe import probe_gpus
from digits_ray.scheduling.resources import NodeTotals, Plan
from digits_ray.scheduling.session import live_nodes, live_nodes_by_id

if TYPE_CHECKING:
    from digits_ray.scheduling.autoscaler import AutoscalerRequest

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0  # between two checks for a node that is awaited

OnWait = Callable[[str, float], None]  # called with why there is no plan yet, and the minutes waited in all


def plan_members(config: Config, nodes: list[NodeTotals], member_gib: float = 0.0) -> Plan:
    """Plans for the whole ensemble, not for what is missing of it: the number of threads decides the last bits.

    Args:
        config: The run's.
        nodes: The live nodes.
        member_gib: Of GPU memory that a member's tensors take.

    Raises:
        UserError: no node can hold a member.
    """
    requested, members = config.resources, config.members.count
    gpus_per_member, reason, noun = requested.gpus_per_member, "", "member"
    plan = resources.plan(nodes, members, gpus_per_member, requested.cpus_per_member)
    stack = stacks.stack_size(config, plan, member_gib)
    if stack > 1:
        members, noun = stacks.stack_count(config, stack), "stack"
        plan = resources.plan(nodes, members, gpus_per_member, requested.cpus_per_member, noun)
    if gpus_per_member == "auto" and plan.gpus_per_member:
        sharing = gpu_sharing.share_gpus(nodes, members, requested.cpus_per_member, stack * member_gib, noun)
        plan = resources.plan(nodes, members, 1 / sharing.members, requested.cpus_per_member, noun)
        reason = f"; {sharing.reason}"
    data_gib = resources.data_gib(nodes, plan, requested.data_gib_per_member)
    plan = replace(plan, reason=plan.reason + reason, data_gib_per_member=data_gib)
    return stacks.with_stacks(plan, config, member_gib)


def plan_on_live_nodes(config: Config, member_gib: float = 0.0) -> Plan:
    """Plans with the nodes of this moment and what their GPUs are like; warns of GPUs that others hold.

    Args:
        config: The run's.
        member_gib: Of GPU memory that a member's tensors take.

    Raises:
        UserError: no node can hold a member.
    """
    nodes = live_nodes_by_id()
    plan = plan_members(config, list(nodes.values()), member_gib)
    if not plan.gpus_per_member:
        return plan
    gpus = probe_gpus(nodes)
    measured = [gpu_sharing.with_gpu_memory(node, gpus.get(node_id, ())) for node_id, node in nodes.items()]
    plan = plan_members(config, measured, member_gib)
    return replace(plan, warnings=(*plan.warnings, *gpu_sharing.held_gpus(nodes, gpus)))


def plan_cpu_fits(fits: int, wait_minutes: float, on_wait: OnWait) -> Plan:
    """Plans fits of classical models: CPUs alone, each thread on a CPU of its own. Waits as `wait_for_plan` does."""
    bundles = resources.resource_bundles(0, "auto", fits)
    return wait_for_plan(lambda: resources.plan(live_nodes(), fits, 0, "auto"), bundles, wait_minutes, on_wait)


def wait_for_plan(
    make_plan: Callable[[], Plan], bundles: list[dict[str, float]], wait_minutes: float, on_wait: OnWait
) -> Plan:
    """Plans as soon as there is a node to plan with; until then, an autoscaler is sent a request for what is missing.

    Args:
        make_plan: Raises UserError while no node can hold what is to be planned.
        bundles: What is requested of an autoscaler, a bundle of resources each.
        wait_minutes: How long to wait for a node; 0: not at all.
        on_wait: Called each time that no node fits.

    Raises:
        UserError: there is still none after so many minutes.
    """
    started = time.monotonic()
    with closing(autoscaler_request()) as request:
        while True:
            try:
                return make_plan()
            except UserError as error:
                if time.monotonic() - started >= 60 * wait_minutes:
                    waited = f" (waited {wait_minutes:g} minutes)" if wait_minutes else ""
                    raise UserError(f"{error}{waited}") from None
                request.resize(bundles)
                on_wait(str(error), wait_minutes)
                time.sleep(POLL_SECONDS)


def first_plan(config: Config, missing: int, image_shape: tuple[int, ...], labelled_rows: int, on_wait: OnWait) -> Plan:
    """Plans as soon as a node can hold a member.

    Args:
        config: The run's.
        missing: How many members are to be trained, one at least.
        image_shape: (height, width) in pixels, or (height, width, 3) in colour.
        labelled_rows: Of the data.
        on_wait: As for `wait_for_plan`.

    Raises:
        UserError: no node can hold a member, and none has come in time.
    """
    requested = config.resources
    bundles = resources.resource_bundles(requested.gpus_per_member, requested.cpus_per_member, missing)
    member_gib = gpu_sharing.member_gib(config, image_shape, labelled_rows)
    return wait_for_plan(lambda: plan_on_live_nodes(config, member_gib), bundles, requested.wait_minutes, on_wait)


class Replanner:
    """Plans again while members train. To be closed, which withdraws the request to the autoscaler.

    Nodes may come and go; the kind of device and the threads stay, for they decide the last bits, and no stack grows.
    """

    def __init__(self, config: Config, first: Plan) -> None:
        as_first = replace(
            config.resources,
            gpus_per_member=first.gpus_per_member,
            members_per_program=first.members_per_program,
        )
        self._config = replace(config, resources=as_first)
        self._threads = first.threads
        self._request = autoscaler_request() if config.resources.wait_minutes else None
        self._nodes: dict[str, NodeTotals] = {}  # by id, at the last plan

    def plan(self, unfinished: int) -> Plan:
        """Plans with the nodes of this moment; requests more of an autoscaler for members without a slot.

        Args:
            unfinished: How many members are still to be trained, those in training included.

        Raises:
            UserError: no node can hold a member.
        """
        try:
            plan = plan_members(self._config, self._live_nodes())
        except UserError:
            self._request_slots(unfinished)
            raise
        self._request_slots(max(0, math.ceil(unfinished / plan.members_per_program) - plan.slots))
        return replace(plan, threads=self._threads)

    def close(self) -> None:
        """Withdraws the request to the autoscaler."""
        if self._request:
            self._request.close()

    def _live_nodes(self) -> list[NodeTotals]:
        nodes = live_nodes_by_id()
        for node_id in self._nodes.keys() - nodes.keys():
            log.warning("node %s left the cluster; its members go on elsewhere", self._nodes[node_id].name)
        self._nodes = nodes
        return list(nodes.values())

    def _request_slots(self, members: int) -> None:
        if self._request:
            requested = self._config.resources
            self._request.resize(
                resources.resource_bundles(requested.gpus_per_member, requested.cpus_per_member, members)
            )


def autoscaler_request() -> "AutoscalerRequest":
    """Returns an empty request; Ray is imported here, which `digits-ray doctor` puts off as long as it can."""
    from digits_ray.scheduling.autoscaler import AutoscalerRequest

    return AutoscalerRequest()
