"""When a run plans, for which nodes, and what an autoscaler is told meanwhile. No Ray: the nodes are pretended."""

from dataclasses import replace

import pytest

from digits_ray.config.schema import Config, MembersConfig, ResourcesConfig
from digits_ray.errors import UserError
from digits_ray.scheduling import planner
from digits_ray.scheduling.planner import Replanner, first_plan, plan_cpu_fits, plan_members, wait_for_plan
from digits_ray.scheduling.resources import NodeTotals, Plan
from digits_ray.training.device import Gpu

TWO_CPUS = NodeTotals("small", cpus=2, gpus=0, memory_gib=8.0)
EIGHT_CPUS = NodeTotals("large", cpus=8, gpus=0, memory_gib=None)
ONE_GPU = NodeTotals("gpu", cpus=8, gpus=1, memory_gib=None)


class PretendedCluster:
    """Its nodes come and go as a test says; remembers what its autoscaler was asked for."""

    def __init__(self) -> None:
        self.nodes: list[NodeTotals] = []
        self.next_nodes: list[list[NodeTotals]] = []  # one list for each look; the last one stays
        self.requests: list[int] = []  # bundles asked for, each time
        self.bundle: dict[str, float] = {}  # what each was
        self.open_requests = 0
        self.gpus: dict[str, tuple[Gpu, ...]] = {}  # by node, as nvidia-smi lists them

    def look(self) -> dict[str, NodeTotals]:
        if self.next_nodes:
            self.nodes = self.next_nodes.pop(0)
        return {node.name: node for node in self.nodes}

    def new_request(self) -> "PretendedCluster":
        self.open_requests += 1
        return self

    def resize(self, bundles: list[dict[str, float]]) -> None:
        self.requests.append(len(bundles))
        self.bundle = bundles[0] if bundles else self.bundle

    def close(self) -> None:
        self.open_requests -= 1


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> PretendedCluster:
    """A cluster that has no node yet; waiting takes no time."""
    pretended = PretendedCluster()
    monkeypatch.setattr(planner, "live_nodes", lambda: list(pretended.look().values()))
    monkeypatch.setattr(planner, "live_nodes_by_id", pretended.look)
    monkeypatch.setattr(planner, "probe_gpus", lambda nodes: pretended.gpus)
    monkeypatch.setattr(planner, "autoscaler_request", pretended.new_request)
    monkeypatch.setattr(planner, "POLL_SECONDS", 0.0)
    return pretended


def config_of(members: int = 10, **resources: object) -> Config:
    return Config(members=MembersConfig(count=members), resources=ResourcesConfig(**resources))  # type: ignore[arg-type]


def planned_first(config: Config, missing: int = 4, side: int = 28, rows: int = 1000) -> Plan:
    return first_plan(config, missing, (side, side), rows, lambda reason, minutes: None)


# For the whole ensemble


def test_members_get_the_threads_of_the_whole_ensemble_however_few_are_missing(cluster: PretendedCluster) -> None:
    cluster.nodes = [EIGHT_CPUS]
    assert planned_first(config_of(members=8), missing=1).threads == 1
    assert planned_first(config_of(members=2), missing=1).threads == 4


def test_a_plan_tells_how_much_data_a_member_may_hold_in_memory() -> None:
    assert plan_members(config_of(), [TWO_CPUS]).data_gib_per_member == 1.0  # a quarter of 8 GiB, for two
    assert plan_members(config_of(data_gib_per_member=0.5), [TWO_CPUS]).data_gib_per_member == 0.5


# Waiting for a node


def test_without_minutes_to_wait_a_cluster_without_a_node_is_refused_at_once(cluster: PretendedCluster) -> None:
    with pytest.raises(UserError, match="no live node") as caught:
        planned_first(config_of())
    assert "waited" not in str(caught.value)
    assert cluster.requests == []


def test_a_node_is_waited_for_and_asked_of_the_autoscaler_until_it_comes(cluster: PretendedCluster) -> None:
    cluster.next_nodes = [[], [], [TWO_CPUS]]
    told: list[tuple[str, float]] = []
    config = config_of(wait_minutes=3, cpus_per_member=2)
    plan = first_plan(config, 4, (8, 8), 90, lambda reason, minutes: told.append((reason, minutes)))
    assert plan.slots == 1
    assert cluster.requests == [4, 4]
    assert cluster.bundle == {"CPU": 2.0}
    assert [minutes for _, minutes in told] == [3, 3]
    assert "no live node" in told[0][0]
    assert cluster.open_requests == 0


def test_a_wait_that_was_in_vain_says_how_long_it_was(
    cluster: PretendedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 60.0, 119.0, 120.0])
    monkeypatch.setattr(planner.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(planner.time, "sleep", lambda seconds: None)
    told: list[str] = []
    with pytest.raises(UserError, match=r"no live node.* \(waited 2 minutes\)$"):
        wait_for_plan(lambda: plan_members(config_of(), []), [{"CPU": 1.0}], 2, lambda reason, _: told.append(reason))
    assert len(told) == 2
    assert cluster.open_requests == 0


def test_a_request_is_withdrawn_when_the_wait_is_interrupted(cluster: PretendedCluster) -> None:
    def press_ctrl_c(reason: str, minutes: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_cpu_fits(2, 5, press_ctrl_c)
    assert cluster.open_requests == 0


def test_fits_of_classical_models_are_planned_on_cpus_alone(cluster: PretendedCluster) -> None:
    cluster.next_nodes = [[], [ONE_GPU]]
    plan = plan_cpu_fits(16, 5, lambda reason, minutes: None)
    assert (plan.slots, plan.gpus_per_member, plan.threads) == (8, 0.0, 1)
    assert cluster.requests == [16]


# How many share a GPU


def h100(used_gib: int = 0, total_gib: int = 80) -> Gpu:
    return Gpu(0, "NVIDIA H100", 1024 * total_gib, 1024 * used_gib)


def test_where_nobody_has_said_it_two_members_share_each_gpu(cluster: PretendedCluster) -> None:
    cluster.nodes = [EIGHT_CPUS, ONE_GPU]
    plan = planned_first(config_of())
    assert (plan.slots, plan.gpus_per_member, plan.cpus_per_member) == (2, 0.5, 4)
    assert plan.reason == (
        "1 GPU × 2 members each at 0.5 GPU: 2 at a time; two members share a GPU: one trains while the other starts,"
        " compiles, predicts or saves"
    )


def test_a_run_that_goes_on_with_its_last_member_has_the_plan_it_began_with(cluster: PretendedCluster) -> None:
    cluster.nodes = [ONE_GPU]
    assert planned_first(config_of(), missing=1).gpus_per_member == planned_first(config_of()).gpus_per_member == 0.5


def test_members_that_do_not_fit_side_by_side_get_a_gpu_each(cluster: PretendedCluster) -> None:
    cluster.nodes, cluster.gpus = [ONE_GPU], {"gpu": (h100(total_gib=8),)}
    assert planned_first(config_of()).gpus_per_member == 0.5
    plan = planned_first(config_of(), rows=1_000_000)
    assert plan.gpus_per_member == 1.0
    assert plan.reason.endswith("; a GPU's 8 GiB do not hold two members of 2.9 GiB each")


@pytest.mark.parametrize(("gpus", "per_member"), [(1, 1.0), (0.25, 0.25), (0, 0.0)])
def test_what_was_said_is_done_and_no_rule_is_told(cluster: PretendedCluster, gpus: object, per_member: float) -> None:
    cluster.nodes = [ONE_GPU]
    plan = planned_first(config_of(gpus_per_member=gpus))
    assert plan.gpus_per_member == per_member
    assert ";" not in plan.reason


def test_members_on_cpus_ask_no_node_for_its_gpus(cluster: PretendedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.nodes = [ONE_GPU]
    monkeypatch.setattr(planner, "probe_gpus", None)
    assert planned_first(config_of(gpus_per_member=0)).warnings == ()


@pytest.mark.parametrize("gpus", ["auto", 1, 0.25])
def test_a_gpu_that_is_held_already_is_a_warning_of_the_plan(cluster: PretendedCluster, gpus: object) -> None:
    cluster.nodes, cluster.gpus = [ONE_GPU], {"gpu": (h100(used_gib=60),)}
    (warning,) = planned_first(config_of(gpus_per_member=gpus)).warnings
    assert warning.startswith("GPU 0 of gpu (NVIDIA H100): 60.0 of 80.0 GiB are in use")
    cluster.gpus = {"gpu": (h100(used_gib=30),)}
    assert planned_first(config_of(gpus_per_member=gpus)).warnings == ()


# Planning again


def test_a_node_that_joins_adds_slots_and_changes_no_threads(cluster: PretendedCluster) -> None:
    cluster.nodes = [TWO_CPUS]
    config = config_of(members=2)
    first = planned_first(config, missing=2)
    assert (first.slots, first.threads) == (2, 1)
    cluster.nodes = [TWO_CPUS, EIGHT_CPUS]
    again = Replanner(config, first).plan(unfinished=2)
    assert (again.slots, again.threads) == (2, 1)
    assert again.nodes == (TWO_CPUS, EIGHT_CPUS)


def test_a_node_that_leaves_is_told_once(cluster: PretendedCluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.nodes = [TWO_CPUS, EIGHT_CPUS]
    replanner = Replanner(config_of(), planned_first(config_of()))
    with caplog.at_level("WARNING", logger="digits_ray"):
        for nodes in ([TWO_CPUS, EIGHT_CPUS], [TWO_CPUS], [TWO_CPUS]):
            cluster.nodes = nodes
            replanner.plan(unfinished=4)
    (line,) = caplog.messages
    assert line == f"node {EIGHT_CPUS.name} left the cluster; its members go on elsewhere"


def test_members_that_began_on_cpus_stay_on_cpus_when_a_gpu_joins(cluster: PretendedCluster) -> None:
    cluster.nodes = [TWO_CPUS]
    first = planned_first(config_of())
    cluster.nodes = [TWO_CPUS, ONE_GPU]
    again = Replanner(config_of(), first).plan(unfinished=4)
    assert (again.gpus_per_member, again.slots) == (0.0, 10)


def test_the_autoscaler_is_asked_for_the_members_without_a_slot(cluster: PretendedCluster) -> None:
    cluster.nodes = [TWO_CPUS]
    config = config_of(wait_minutes=5)
    replanner = Replanner(config, planned_first(config))
    for unfinished in (10, 3, 1):
        replanner.plan(unfinished)
    assert cluster.requests == [8, 1, 0]
    replanner.close()
    assert cluster.open_requests == 0


def test_the_autoscaler_is_asked_for_all_when_the_last_node_has_gone(cluster: PretendedCluster) -> None:
    cluster.nodes = [TWO_CPUS]
    config = config_of(wait_minutes=5)
    replanner = Replanner(config, planned_first(config))
    cluster.nodes = []
    with pytest.raises(UserError, match="no live node"):
        replanner.plan(unfinished=7)
    assert cluster.requests == [7]


def test_a_run_that_waits_for_no_node_asks_the_autoscaler_for_nothing(cluster: PretendedCluster) -> None:
    cluster.nodes = [TWO_CPUS]
    first = planned_first(config_of())
    opened = cluster.open_requests
    replanner = Replanner(replace(config_of()), first)
    replanner.plan(unfinished=10)
    replanner.close()
    assert cluster.requests == []
    assert cluster.open_requests == opened
