"""What the nodes of a cluster report → lines for humans, and what the user must change. No Ray."""

import math
from dataclasses import dataclass
from enum import Enum

from digits_ray.doctor.backends import EXTRAS
from digits_ray.scheduling import NodeTotals
from digits_ray.training.device import BACKENDS

Versions = tuple[tuple[str, str], ...]  # of Python and each package, by name

SHOWN_NAMES = 3  # of equal nodes
INSTALL = (
    "Install the same versions on every node (cluster/constraints.txt pins them), or let `digits-ray submit` do it."
)
INSTALL_CUDA = "with CUDA there (the extra `{extra}`) and see that `nvidia-smi` lists them, or use --gpus-per-member 0."


class StorageAccess(Enum):
    """What a node's process can do with the run directory."""

    SHARED = " · sees --out and can write there"
    SEPARATE = " · does not see --out: the driver saves its epochs"
    UNTESTED = ""  # --out cannot be written from here, so no node tries
    FAILED = " · cannot use --out"


@dataclass(frozen=True)
class NodeReport:
    """What a process on a node reports of that node."""

    node_id: str
    versions: Versions
    device: str  # that members would train on: "cpu", or the GPU's product name
    gpus: int  # that the backend sees
    precision: str  # that "auto" stands for on this device
    storage: StorageAccess
    token: bool  # Ray asks for one
    storage_error: str = ""  # where access has failed
    backend: str = "tensorflow"  # of Keras, that members would train on


@dataclass(frozen=True)
class MissingReport:
    """Why there is no report of a node."""

    node_id: str
    reason: str


@dataclass(frozen=True)
class ClusterReport:
    """All live nodes, by id, and the report of each."""

    totals: dict[str, NodeTotals]
    reports: tuple[NodeReport | MissingReport, ...]

    @property
    def received(self) -> list[NodeReport]:
        return [report for report in self.reports if isinstance(report, NodeReport)]

    @property
    def missing(self) -> list[MissingReport]:
        return [report for report in self.reports if isinstance(report, MissingReport)]

    def name(self, node_id: str) -> str:
        """Returns a node's host name and the start of the id that Ray lists it by: several may share a host."""
        return f"{self.totals[node_id].name} ({node_id[:8]})"


def facts(cluster: ClusterReport, driver_versions: Versions) -> list[tuple[str, str]]:
    """Returns what is known of the nodes as names and texts, equal nodes in one line.

    Args:
        cluster: What the nodes report.
        driver_versions: The versions in the driver's own process.
    """
    lines = [("nodes", line) for line in _node_lines(cluster)]
    if cluster.received and not _other_versions(cluster, driver_versions):
        lines.append(("versions", f"the same here and on {_nodes(len(cluster.received))}"))
    if cluster.received:
        lines.append(("authentication", _authentication(cluster.received)))
    return lines


def problems(cluster: ClusterReport, driver_versions: Versions, on_gpus: bool) -> list[str]:
    """Returns what the user must change, a line each, with the cure.

    Args:
        cluster: What the nodes report.
        driver_versions: The versions in the driver's own process.
        on_gpus: Members would use a GPU where there is one; if not, it does not matter what the backend sees.
    """
    by_node = [(report.node_id, report.reason) for report in cluster.missing]
    by_node += _other_versions(cluster, driver_versions)
    by_node += _unseen_gpus(cluster) if on_gpus else []
    by_node += _failed_storage(cluster)
    nodes: dict[str, list[str]] = {}  # their names, by the problem that they have in common
    for node_id, problem in by_node:
        nodes.setdefault(problem, []).append(cluster.name(node_id))
    return [f"{_names(names)}: {problem}" for problem, names in nodes.items()]


# Facts


def _node_lines(cluster: ClusterReport) -> list[str]:
    """Returns a line for each kind of node, the most frequent first."""
    kinds: dict[str, list[NodeTotals]] = {}
    for report in cluster.received:
        totals = cluster.totals[report.node_id]
        kinds.setdefault(_description(totals, report), []).append(totals)
    kinds = dict(sorted(kinds.items(), key=lambda kind: -len(kind[1])))
    return [f"{_names([node.name for node in nodes])}: {text}{_memory(nodes)}" for text, nodes in kinds.items()]


def _description(totals: NodeTotals, report: NodeReport) -> str:
    seen = "" if report.gpus == totals.gpus else f" ({BACKENDS[report.backend]} sees {report.gpus})"
    return f"{totals.processors}{seen} · {report.device}, auto: {report.precision}{report.storage.value}"


def _memory(nodes: list[NodeTotals]) -> str:
    """Returns the nodes' memory; equal machines differ in it, for Ray counts what was free when it started."""
    gibs = sorted(node.memory_gib for node in nodes if node.memory_gib)
    ends = dict.fromkeys(f"{gib:.0f}" for gib in [*gibs[:1], *gibs[-1:]])
    return f" · {' to '.join(ends)} GiB" if ends else ""


def _authentication(reports: list[NodeReport]) -> str:
    if all(report.token for report in reports):
        return "token"
    return (
        "off: whoever reaches Ray's ports runs any code on the nodes. Start each with RAY_AUTH_MODE=token and one"
        " RAY_AUTH_TOKEN (`ray get-auth-token --generate` makes it), and set both here too."
    )


def _names(names: list[str]) -> str:
    """Returns "a", or "12 nodes (a, b, c, …)"."""
    hosts = list(dict.fromkeys(names))
    shown = ", ".join(hosts[:SHOWN_NAMES]) + (", …" if len(hosts) > SHOWN_NAMES else "")
    return shown if len(names) == 1 else f"{_nodes(len(names))} ({shown})"


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


# Problems, each with the id of the node that has it


def _other_versions(cluster: ClusterReport, driver_versions: Versions) -> list[tuple[str, str]]:
    expected = dict(driver_versions)
    return [
        (report.node_id, f"{package} {version} there, {expected[package]} here. {INSTALL}")
        for report in cluster.received
        for package, version in report.versions
        if version != expected[package]
    ]


def _unseen_gpus(cluster: ClusterReport) -> list[tuple[str, str]]:
    counts = [(report, math.floor(cluster.totals[report.node_id].gpus)) for report in cluster.received]
    return [(report.node_id, _unseen(report, gpus)) for report, gpus in counts if report.gpus < gpus]


def _unseen(report: NodeReport, gpus: int) -> str:
    backend, install = BACKENDS[report.backend], INSTALL_CUDA.format(extra=EXTRAS[report.backend])
    return f"of {gpus} GPUs by Ray's count {backend} sees {report.gpus}. Install {backend} {install}"


def _failed_storage(cluster: ClusterReport) -> list[tuple[str, str]]:
    failed = [report for report in cluster.received if report.storage is StorageAccess.FAILED]
    return [(report.node_id, f"cannot use --out. {report.storage_error}") for report in failed]
