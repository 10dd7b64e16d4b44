"""Asks every node with GPUs what nvidia-smi says of them, so that no backend is loaded and no GPU is touched."""

import os
from collections.abc import Mapping

from digits_ray.scheduling.node_totals import NodeTotals
from digits_ray.training import device

DEADLINE_SECONDS = 15.0  # for all nodes; a node that does not answer counts as one of unknown GPUs


def probe_gpus(nodes: Mapping[str, NodeTotals]) -> dict[str, tuple[device.Gpu, ...]]:
    """Returns the GPUs of each node, by its id; nodes without any, or whose GPUs are unknown, are left out.

    Args:
        nodes: The live nodes, by id in hex.
    """
    import ray

    with_gpus = {node_id: node for node_id, node in nodes.items() if node.gpus >= 1}
    here = ray.get_runtime_context().get_node_id()
    gpus = _ask_nodes([node_id for node_id in with_gpus if node_id != here])
    if here in with_gpus:
        gpus[here] = read_own_gpus()
    # A machine may have more of them than its Ray was given, and which those are is not known.
    return {node_id: found for node_id, found in gpus.items() if len(found) == int(with_gpus[node_id].gpus)}


def read_own_gpus() -> tuple[device.Gpu, ...]:
    """Returns the GPUs of this machine that are visible to Ray."""
    return device.read_gpus(os.environ.get("CUDA_VISIBLE_DEVICES", ""))


def _ask_nodes(node_ids: list[str]) -> dict[str, tuple[device.Gpu, ...]]:
    """Asks all of them at once, by a task that needs no CPU: busy nodes answer too."""
    if not node_ids:
        return {}
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(read_own_gpus)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(): node_id
        for node_id in node_ids
    }
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=DEADLINE_SECONDS)
    gpus = {}
    for reference in answered:
        try:
            gpus[asked[reference]] = ray.get(reference)
        except RayError:  # the node has gone; members that it would have taken wait for another
            continue
    return gpus
