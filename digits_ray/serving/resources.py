"""What each replica of the ensemble gets of a cluster: pure arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digits_ray.scheduling.node_totals import NodeTotals


@dataclass(frozen=True)
class ModelResources:
    """What one replica of the ensemble asks of Ray, and uses."""

    num_cpus: float
    num_gpus: float  # 0: it computes on CPUs
    threads: int

    def actor_options(self) -> dict[str, float]:
        """Returns what Ray is asked for."""
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus}


def model_resources(nodes: Sequence[NodeTotals], replicas: int) -> ModelResources:
    """Returns an equal part for each replica, small enough that as many again fit: they do while a run is swapped.

    Args:
        nodes: Of the cluster, at least one.
        replicas: Of the ensemble.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    on_one_node = math.ceil(replicas / len(nodes))
    threads = max(1, int(min(node.cpus for node in nodes) // on_one_node))
    return ModelResources(min(1.0, _part(cpus, 2 * replicas)), min(1.0, _part(gpus, 2 * replicas)), threads)


def _part(total: float, parts: int) -> float:
    """Returns a number so that `parts` of it fit into units that none of them straddles."""
    units = int(total)
    return 1 / math.ceil(parts / units) if units else 0.0
