"""What the nodes of a cluster have told of themselves → lines for humans, and what the user must change. No Ray."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from digits_ray.scheduling import NodeTotals

SHARED, APART = "shared", "apart"  # a node sees --out and can write there; it does not see it
UNTRIED = "untried"  # --out cannot be written from here, so there is nothing to see
FINE = (SHARED, APART, UNTRIED)
SHOWN_NAMES = 3  # of the nodes that are alike
INSTALL = (
    "Install the same versions on every node (cluster/constraints.txt pins them), or let `digits-ray submit` do it."
)
INSTALL_CUDA = (
    "Install TensorFlow with CUDA there (the extra `gpu`) and see that `nvidia-smi` lists them, or use"
    " --gpus-per-member 0."
)


@dataclass(frozen=True)
class NodeReport:
    """What one node's own process found there."""

    node_id: str
    versions: tuple[tuple[str, str], ...]  # of Python and each package, by name
    device: str  # that members would train on: "cpu", or the GPU's product name
    gpus: int  # that TensorFlow sees
    precision: str  # that "auto" is there
    storage: str  # SHARED, APART, UNTRIED, or the error that it met there
    token: bool  # Ray asks for one there


@dataclass(frozen=True)
class NoReport:
    """Why a node has told nothing."""

    node_id: str
    reason: str


@dataclass(frozen=True)
class NodeReports:
    """All live nodes, by id, and what each has answered."""

    totals: dict[str, NodeTotals]
    answers: tuple[NodeReport | NoReport, ...]

    @property
    def reports(self) -> list[NodeReport]:
        return [answer for answer in self.answers if isinstance(answer, NodeReport)]

    def name(self, node_id: str) -> str:
        """Returns a node's host name and the start of the id that Ray lists it by: several may share a host."""
        return f"{self.totals[node_id].name} ({node_id[:8]})"


def facts(reports: NodeReports, here: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Returns what is known of the nodes as names and texts, those that are alike in one line.

    Args:
        reports: The answers.
        here: The versions in the driver's own process.
    """
    lines = [("nodes", line) for line in _alike(reports)]
    if reports.reports and not _disagreements(reports, here):
        lines.append(("versions", f"the same here and on {_nodes(len(reports.reports))}"))
    if reports.reports:
        lines.append(("authentication", _authentication(reports.reports)))
    return lines


def problems(reports: NodeReports, here: tuple[tuple[str, str], ...], on_gpus: bool) -> list[str]:
    """Returns what the user must change, a line each, with the cure.

    Args:
        reports: The answers.
        here: The versions in the driver's own process.
        on_gpus: Members would use a GPU where there is one; if not, it does not matter what TensorFlow sees.
    """
    troubles = [(answer.node_id, answer.reason) for answer in reports.answers if isinstance(answer, NoReport)]
    troubles += [*_disagreements(reports, here), *(_unseen_gpus(reports) if on_gpus else []), *_broken_storage(reports)]
    together: dict[str, list[str]] = {}
    for node_id, text in troubles:
        together.setdefault(text, []).append(reports.name(node_id))
    return [f"{_names(names)}: {text}" for text, names in together.items()]


# Facts


def _alike(reports: NodeReports) -> list[str]:
    """Returns a line for each kind of node, the most frequent first."""
    kinds: dict[str, list[NodeTotals]] = {}
    for report in reports.reports:
        totals = reports.totals[report.node_id]
        kinds.setdefault(_description(totals, report), []).append(totals)
    kinds = dict(sorted(kinds.items(), key=lambda kind: -len(kind[1])))
    return [f"{_names([node.name for node in nodes])}: {text}{_memory(nodes)}" for text, nodes in kinds.items()]


def _description(totals: NodeTotals, report: NodeReport) -> str:
    seen = "" if report.gpus == totals.gpus else f" (TensorFlow sees {report.gpus})"
    storage = {
        SHARED: " · sees --out and can write there",
        APART: " · does not see --out: the driver saves its epochs",
        UNTRIED: "",
    }
    device = f"{report.device}, auto: {report.precision}"
    return f"{totals.processors}{seen} · {device}{storage.get(report.storage, ' · cannot use --out')}"


def _memory(nodes: list[NodeTotals]) -> str:
    """Returns the nodes' memory; equal machines differ in it, for Ray counts what was free when it started."""
    known = [f"{node.memory_gib:.0f}" for node in sorted(nodes, key=lambda n: n.memory_gib or 0) if node.memory_gib]
    ends = list(dict.fromkeys([*known[:1], *known[-1:]]))
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


# Problems: of a node by its id, what the user must change


def _disagreements(reports: NodeReports, here: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    wanted = dict(here)
    found = [(report.node_id, *pair) for report in reports.reports for pair in report.versions]
    return [
        (node_id, f"{package} {version} there, {wanted[package]} here. {INSTALL}")
        for node_id, package, version in found
        if version != wanted[package]
    ]


def _unseen_gpus(reports: NodeReports) -> list[tuple[str, str]]:
    found = [(report, math.floor(reports.totals[report.node_id].gpus)) for report in reports.reports]
    return [
        (report.node_id, f"of {counted} GPUs by Ray's count TensorFlow sees {report.gpus}. {INSTALL_CUDA}")
        for report, counted in found
        if report.gpus < counted
    ]


def _broken_storage(reports: NodeReports) -> list[tuple[str, str]]:
    found = [(report.node_id, report.storage) for report in reports.reports]
    return [(node_id, f"cannot use --out. {error}") for node_id, error in found if error not in FINE]
