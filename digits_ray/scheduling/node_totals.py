"""What nodes have, and how many members they hold. Pure arithmetic, no Ray."""

from collections.abc import Iterable
from dataclasses import dataclass

UNIT = 10_000  # Ray counts resources in steps of 1/10,000 (ray._raylet.RESOURCE_UNIT_SCALING)


@dataclass(frozen=True)
class NodeTotals:
    """What one live node has in all, busy or not."""

    name: str
    cpus: float
    gpus: float
    memory_gib: float | None  # None where it is unknown
    gpu_gib: float | None = None  # memory of its smallest GPU; None where it is unknown

    def __str__(self) -> str:
        memory = "" if self.memory_gib is None else f", {self.memory_gib:.1f} GiB"
        return f"{self.name}: {self.processors}{memory}"

    @property
    def processors(self) -> str:
        """Returns "8 CPUs, 1 GPU"."""
        return f"{counted(self.cpus, 'CPU')}, {counted(self.gpus, 'GPU')}"


def most_cpus(nodes: list[NodeTotals], gpus: float) -> NodeTotals:
    """Returns the node with the most CPUs among those that have the GPUs of a member."""
    return max((node for node in nodes if node.gpus >= gpus), key=lambda node: node.cpus)


def most_gpus(nodes: Iterable[NodeTotals]) -> NodeTotals:
    """Returns the node with the most GPUs, of equals that with the most CPUs."""
    return max(nodes, key=lambda node: (node.gpus, node.cpus))


def slots_on(nodes: list[NodeTotals], gpus: float, cpus: float) -> int:
    """Returns how many members all nodes hold; each takes all that it needs from one."""
    return sum(node_slots(node, gpus, cpus) for node in nodes)


def node_slots(node: NodeTotals, gpus: float, cpus: float) -> int:
    """Returns how many members one node holds, counted in Ray's integer units: 0.1 fits into 1 ten times."""
    by_cpus = units(node.cpus) // units(cpus)
    return min(by_cpus, gpu_slots(node, gpus)) if gpus else by_cpus


def gpu_slots(node: NodeTotals, gpus: float) -> int:
    """Returns how many members a node's GPUs hold. A fraction never straddles two: 0.4 fits 2 × each."""
    return int(node.gpus) * (UNIT // units(gpus)) if gpus < 1 else int(node.gpus // gpus)


def units(quantity: float) -> int:
    """Returns a quantity in Ray's integer units."""
    return int(quantity * UNIT)  # Ray cuts off as well (ray/common/scheduling/fixed_point.h)


def counted(quantity: float, noun: str) -> str:
    """Returns "1 GPU", "0.25 GPU", "4 GPUs", "0 GPUs"."""
    return f"{quantity:g} {noun}{'' if 0 < quantity <= 1 else 's'}"
