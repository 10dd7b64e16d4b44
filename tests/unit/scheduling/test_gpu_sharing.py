"""How many members share a GPU where nobody has said it, and which GPUs are taken: plain numbers."""

import math

import pytest

from digits_ray.config import ARCHITECTURES
from digits_ray.config.schema import Config, MembersConfig, Recipe
from digits_ray.scheduling.gpu_sharing import (
    VALUES_PER_PIXEL,
    GpuSharing,
    held_gpus,
    member_gib,
    share_gpus,
    with_gpu_memory,
)
from digits_ray.scheduling.resources import NodeTotals
from digits_ray.training.device import Gpu


def node(cpus: float = 16, gpus: float = 1, gpu_gib: float | None = None, name: str = "a") -> NodeTotals:
    return NodeTotals(name, cpus, gpus, None, gpu_gib)


def sharing(*nodes: NodeTotals, members: int = 20, cpus: object = "auto", gib: float = 1.0) -> GpuSharing:
    return share_gpus(nodes, members, cpus, gib)  # type: ignore[arg-type]


# The rule


@pytest.mark.parametrize(
    ("gpus", "members", "sharing_one"), [(1, 1, 1), (1, 2, 2), (1, 20, 2), (4, 4, 1), (4, 5, 2), (8, 3, 1)]
)
def test_two_members_share_a_gpu_where_members_outnumber_the_gpus(gpus: int, members: int, sharing_one: int) -> None:
    assert sharing(node(gpus=gpus), members=members).members == sharing_one


def test_the_gpus_of_all_nodes_count_but_for_those_without_a_cpu() -> None:
    assert sharing(node(gpus=2), node(gpus=2), node(gpus=0), members=4).members == 1
    assert sharing(node(gpus=2), node(cpus=0, gpus=2), members=4).members == 2


def test_the_reason_says_the_rule() -> None:
    assert sharing(node()).reason == (
        "two members share a GPU: one trains while the other starts, compiles, predicts or saves"
    )
    assert sharing(node(), members=1).reason == "a GPU for each member"


def test_a_member_with_no_cpu_of_its_own_shares_no_gpu() -> None:
    assert sharing(node(cpus=1)) == GpuSharing(1, "too few CPUs for two members on each GPU")
    assert sharing(node(cpus=8, gpus=4)).members == 2
    assert sharing(node(cpus=7, gpus=4)).members == 1
    assert sharing(node(cpus=8), cpus=8).members == 1  # as asked for
    assert sharing(node(cpus=16), cpus=8).members == 2


def test_two_members_must_fit_the_smallest_gpu() -> None:
    assert sharing(node(gpu_gib=80), gib=38.5).members == 2  # half, less 0.5 for CUDA's context and 1 for cuDNN
    assert sharing(node(gpu_gib=80), gib=38.6).members == 1
    assert sharing(node(gpu_gib=80), node(gpu_gib=8), gib=2.5).members == 2
    one_each = sharing(node(gpu_gib=80), node(gpu_gib=8), gib=2.6)
    assert one_each == GpuSharing(1, "a GPU's 8 GiB do not hold two members of 2.6 GiB each")


def test_a_gpu_of_unknown_memory_sets_no_limit() -> None:
    assert sharing(node(gpu_gib=None), gib=1e6).members == 2


# What a member needs


def gib_of(
    rows: int,
    side: int = 28,
    batch_size: int = 128,
    architectures: tuple[str, ...] = ("compact",),
    channels: tuple[int, ...] = (),
) -> float:
    members = MembersConfig(architectures=architectures, recipe=Recipe(batch_size=batch_size))
    return member_gib(Config(members=members), (side, side, *channels), rows)


def test_a_member_needs_its_rows_and_its_batch() -> None:
    batch = 128 * 28 * 28 * 30 * 4 * 3 / 2**30  # pixels, values for each, bytes, copies
    rows = 42_000 * 28 * 28 / 2**30
    assert gib_of(rows=0) == pytest.approx(batch)
    assert gib_of(rows=42_000) == pytest.approx(max(batch + rows, 4 * rows))
    assert gib_of(rows=1_000_000) == pytest.approx(4 * 1_000_000 * 28 * 28 / 2**30)  # a quarter may be rows
    assert gib_of(rows=0, side=56, batch_size=256) == pytest.approx(8 * batch)


def test_colour_makes_the_rows_larger_and_not_what_the_layers_put_out() -> None:
    assert gib_of(rows=0, channels=(3,)) == gib_of(rows=0)
    assert gib_of(rows=1_000_000, channels=(3,)) == pytest.approx(3 * gib_of(rows=1_000_000))


def test_the_largest_of_a_run_s_networks_counts() -> None:
    assert gib_of(0, architectures=("compact", "notebook")) == gib_of(0, architectures=("notebook",)) > gib_of(0)


@pytest.mark.parametrize("architecture", sorted(VALUES_PER_PIXEL))
def test_no_network_of_ours_has_more_values_for_a_pixel_than_is_assumed(architecture: str) -> None:
    from digits_ray.training import architectures

    for side in (28, 64):
        network = architectures.build(architecture, side, side, 10)
        values = sum(math.prod(layer.output.shape[1:]) for layer in network.layers) / side**2
        assert values <= VALUES_PER_PIXEL[architecture]
    assert values > 0.9 * VALUES_PER_PIXEL[architecture]


def test_every_network_of_ours_is_measured() -> None:
    assert set(VALUES_PER_PIXEL) == set(ARCHITECTURES)


# What nvidia-smi says


def gpu(used_gib: float, *processes: str, index: int = 0, total_gib: float = 80.0) -> Gpu:
    return Gpu(index, "NVIDIA H100", int(1024 * total_gib), int(1024 * used_gib), processes)


def test_a_node_has_the_memory_of_its_smallest_gpu() -> None:
    assert with_gpu_memory(node(), [gpu(0), gpu(0, total_gib=24)]).gpu_gib == 24
    assert with_gpu_memory(node(), []).gpu_gib is None


def test_a_gpu_that_another_program_holds_is_named_with_what_it_is_used_by() -> None:
    nodes = {"1": node(name="left"), "2": node(name="right")}
    gpus = {"1": [gpu(39.0, "17 (python)")], "2": [gpu(1.0), gpu(61.25, "4711 (python3)", index=1)]}
    (warning,) = held_gpus(nodes, gpus)
    assert warning.startswith(
        "GPU 1 of right (NVIDIA H100): 61.2 of 80.0 GiB are in use before the run starts by process 4711 (python3)."
    )


def test_a_program_that_cannot_be_seen_is_not_guessed() -> None:
    (warning,) = held_gpus({"1": node()}, {"1": [gpu(70.0)]})
    assert "70.0 of 80.0 GiB are in use before the run starts. Members" in warning
    (warning,) = held_gpus({"1": node()}, {"1": [gpu(70.0, "1 (a)", "2 (b)")]})
    assert "by processes 1 (a), 2 (b)." in warning
