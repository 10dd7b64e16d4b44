"""How many members share a GPU where that is not configured, and which GPUs others hold. Plain numbers: no Ray."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from digits_ray.config import Config
from digits_ray.scheduling.node_totals import NodeTotals
from digits_ray.training import device
from digits_ray.training.device.jax import ROWS_MEMORY_FRACTION  # JAX itself is not imported

# More gain nothing: three processes side by side on an H100 trained 247,000 images/s together, one alone as many.
SHARING_MEMBERS = 2
HELD_FRACTION = 0.5  # of a GPU's memory; where more is in use before a run starts, it says so
# Values in all layers' outputs for each pixel of an image, at 28×28 and 64×64 (the larger of the two, rounded up).
VALUES_PER_PIXEL = {
    "compact": 30, "deotte_plain": 101, "deotte": 204, "deotte_wide": 407, "notebook": 209, "vgg_small": 656,
}  # fmt: skip
BYTES_PER_VALUE = 4  # float32, which is the larger of the two precisions
# The outputs wait for the backward pass, beside their gradients: XLA reserves 1.6 to 2.4 × their bytes for a step of
# four of the networks (jaxlib 0.10.2 on a CPU, batch 32).
COPIES = 3
GIB = 2**30


@dataclass(frozen=True)
class GpuSharing:
    """How many members share each GPU, and why."""

    members: int
    reason: str


def share_gpus(
    nodes: Sequence[NodeTotals],
    members: int,
    cpus_per_member: Literal["auto"] | int,
    member_gib: float = 0.0,
    noun: str = "member",
) -> GpuSharing:
    """Decides how many members share a GPU: two where members outnumber the GPUs and both have room, else one.

    One of two trains while the other starts, compiles, predicts or saves, during which it leaves the GPU idle.

    Args:
        nodes: The live nodes, one with a GPU and a CPU among them.
        members: To be trained in all.
        cpus_per_member: As requested; "auto": one at least.
        member_gib: Of GPU memory that a member's tensors take.
        noun: What is counted.
    """
    gpu_nodes = [node for node in nodes if node.gpus >= 1 and node.cpus > 0]
    if members <= sum(int(node.gpus) for node in gpu_nodes):
        return GpuSharing(1, f"a GPU for each {noun}")
    cpus = 1 if cpus_per_member == "auto" else cpus_per_member
    if any(node.cpus < cpus * SHARING_MEMBERS * int(node.gpus) for node in gpu_nodes):
        return GpuSharing(1, f"too few CPUs for two {noun}s on each GPU")
    smallest = smallest_gpu_gib(gpu_nodes)
    if member_gib > device.tensor_gib(1 / SHARING_MEMBERS, smallest):
        return GpuSharing(1, f"a GPU's {smallest:.0f} GiB do not hold two {noun}s of {member_gib:.1f} GiB each")
    return GpuSharing(
        SHARING_MEMBERS, f"two {noun}s share a GPU: one trains while the other starts, compiles, predicts or saves"
    )


def smallest_gpu_gib(nodes: Iterable[NodeTotals]) -> float:
    """Returns the memory of the smallest GPU of which it is known; infinity without any."""
    return min((node.gpu_gib for node in nodes if node.gpu_gib), default=math.inf)


def member_gib(config: Config, image_shape: tuple[int, ...], rows: int) -> float:
    """Returns an estimate of the GPU memory for a member's tensors, in GiB.

    Args:
        config: The run's; of a network of the user's own, the largest of ours is assumed.
        image_shape: (height, width) in pixels, or (height, width, 3) in colour.
        rows: That are labelled.
    """
    pixels, largest = math.prod(image_shape[:2]), max(VALUES_PER_PIXEL.values())
    values = max(VALUES_PER_PIXEL.get(name, largest) for name in config.members.architectures)
    batch = config.members.recipe.batch_size
    activations = COPIES * BYTES_PER_VALUE * values * pixels * batch / GIB
    rows_gib = rows * math.prod(image_shape) / GIB
    return max(rows_gib + activations, rows_gib / ROWS_MEMORY_FRACTION)


def with_gpu_memory(node: NodeTotals, gpus: Sequence[device.Gpu]) -> NodeTotals:
    """Returns the node with the memory of its smallest GPU, where that is known."""
    return replace(node, gpu_gib=min((gpu.total_gib for gpu in gpus), default=None))


def held_gpus(nodes: Mapping[str, NodeTotals], gpus: Mapping[str, Iterable[device.Gpu]]) -> tuple[str, ...]:
    """Returns a line for each GPU most of whose memory is in use already.

    Args:
        nodes: By id.
        gpus: Of each node, by its id.
    """
    return tuple(
        f"GPU {gpu.index} of {nodes[node_id].name} ({gpu.name}): {gpu.used_gib:.1f} of {gpu.total_gib:.1f} GiB are in"
        f" use before the run starts{_users(gpu)}. Members may not fit beside that: end what uses it, or hide that GPU"
        " (CUDA_VISIBLE_DEVICES) and start again."
        for node_id in gpus
        for gpu in gpus[node_id]
        if gpu.used_mib > HELD_FRACTION * gpu.total_mib
    )


def _users(gpu: device.Gpu) -> str:
    if not gpu.processes:
        return ""
    return f" by process{'es' if len(gpu.processes) > 1 else ''} {', '.join(gpu.processes)}"
