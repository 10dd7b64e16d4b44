"""From the live nodes to a plan: at the start of a run, and again while nodes come and go.

`resources` is the arithmetic; this decides when it is done, for which nodes, and what is requested of an autoscaler.
"""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from digits_ray.config import Config, MemberSpec
from digits_ray.errors import UserError
from digits_ray.scheduling import resources
from digits_ray.scheduling.resources import NodeTotals, Plan
from digits_ray.scheduling.session import live_nodes, live_nodes_by_id

if TYPE_CHECKING:
    from digits_ray.scheduling.autoscaler import AutoscalerRequest

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0  # between two checks for a node that is awaited

OnWait = Callable[[str, float], None]  # called with why there is no plan yet, and the minutes waited in all


def plan_members(config: Config, nodes: list[NodeTotals]) -> Plan:
    """Plans for the whole ensemble, not for what is missing of it: the number of threads decides the last bits.

    Args:
        config: The run's.
        nodes: The live nodes.

    Raises:
        UserError: no node can hold a member.
    """
    requested = config.resources
    plan = resources.plan(nodes, config.members.count, requested.gpus_per_member, requested.cpus_per_member)
    return replace(plan, data_gib_per_member=resources.data_gib(nodes, plan, requested.data_gib_per_member))


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


def first_plan(
    config: Config,
    missing: list[MemberSpec],
    image_shape: tuple[int, int],
    num_classes: int,
    on_wait: OnWait,
    on_gpu_sharing_trial: Callable[[int], None],
) -> Plan:
    """Plans as soon as a node can hold a member; tries how many share a GPU best, where it is not configured.

    Args:
        config: The run's.
        missing: The members to train, one at least.
        image_shape: Height and width in pixels.
        num_classes: Of the labels.
        on_wait: As for `wait_for_plan`.
        on_gpu_sharing_trial: Called with the most members to be tried on one GPU, before they are.

    Raises:
        UserError: no node can hold a member, and none has come in time.
    """
    requested = config.resources
    bundles = resources.resource_bundles(requested.gpus_per_member, requested.cpus_per_member, len(missing))
    plan = wait_for_plan(lambda: plan_members(config, live_nodes()), bundles, requested.wait_minutes, on_wait)
    if requested.gpus_per_member != "auto" or plan.gpus_per_member == 0:
        return plan
    nodes = live_nodes_by_id()
    max_members = resources.max_members_per_gpu(list(nodes.values()), len(missing))
    if max_members == 1:
        return plan
    on_gpu_sharing_trial(max_members)
    return _plan_gpu_sharing(config, missing[0], image_shape, num_classes, nodes, max_members) or plan


def _plan_gpu_sharing(
    config: Config,
    spec: MemberSpec,
    image_shape: tuple[int, int],
    num_classes: int,
    nodes: dict[str, NodeTotals],
    max_members: int,
) -> Plan | None:
    """Plans with as many members on a GPU as train fastest on one; None where none could be tried."""
    from digits_ray.scheduling import gpu_sharing  # Ray

    largest = resources.most_gpus(nodes.values())
    node_id = next(name for name, node in nodes.items() if node is largest)
    throughputs = gpu_sharing.measure_throughputs(spec, image_shape, num_classes, node_id, max_members)
    if not throughputs:
        return None
    plan = plan_members(
        with_gpus_per_member(config, 1 / gpu_sharing.best_throughput(throughputs).members), live_nodes()
    )
    return replace(plan, reason=f"{plan.reason}; tried on one: {', '.join(map(str, throughputs))}")


class Replanner:
    """Plans again while members train. To be closed, which withdraws the request to the autoscaler.

    Nodes may come and go; the kind of device and the threads stay, for they decide the last bits.
    """

    def __init__(self, config: Config, first: Plan) -> None:
        self._config = with_gpus_per_member(config, first.gpus_per_member)
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
        self._request_slots(max(0, unfinished - plan.slots))
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


def with_gpus_per_member(config: Config, gpus: float) -> Config:
    """Returns the configuration with so many GPUs for each member."""
    return replace(config, resources=replace(config.resources, gpus_per_member=gpus))


def autoscaler_request() -> "AutoscalerRequest":
    """Returns an empty request; Ray is imported here, which `digits-ray doctor` puts off as long as it can."""
    from digits_ray.scheduling.autoscaler import AutoscalerRequest

    return AutoscalerRequest()
