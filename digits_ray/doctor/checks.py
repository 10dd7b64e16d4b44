"""What this machine or cluster has, what a run would use, what is missing."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from digits_ray.config import Config
from digits_ray.doctor import node_reports
from digits_ray.errors import UserError
from digits_ray.scheduling import cluster_address, live_nodes, live_nodes_by_id, ray_session, resources
from digits_ray.storage import RunDirectory, Store, layout
from digits_ray.training import device
from digits_ray.version import __version__

PACKAGES = ("ray", "tensorflow", "keras", "scikit-learn")


@dataclass
class Findings:
    """What was found, as names and texts, and what stands in the way of a run, a line each."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def examine(config: Config) -> Findings:
    """Looks at everything that a run of this configuration needs; trains nothing."""
    findings = Findings(
        [("python", f"{platform.python_version()} on {platform.platform()}"), ("packages", _packages())]
    )
    try:
        with ray_session(config.resources):
            if cluster_address(config.resources):
                _examine_cluster(config, findings)
            else:
                _examine_machine(config, findings)
    except UserError as error:
        findings.problems.append(str(error))
    return findings


def _examine_machine(config: Config, findings: Findings) -> None:
    found = live_nodes()
    findings.facts += [("machine", str(node)) for node in found]
    plan = _plan(config, found)
    findings.facts += [("precision", _precision(plan)), _plan_fact(config, plan)]
    with _probe(config.out or "runs") as (_, usable):
        findings.facts.append(("storage", usable))


def _examine_cluster(config: Config, findings: Findings) -> None:
    from digits_ray.doctor.node_probe import (  # Ray, which reads its environment when it is imported
        probe_nodes,
        versions,
    )

    found, on_gpus = live_nodes_by_id(), config.resources.gpus_per_member != 0
    try:
        with _probe(config.out or "runs") as (store, usable):
            seen = probe_nodes(found, store, RunDirectory(store).write_probe(), on_gpus)
    except UserError as error:
        findings.problems.append(str(error))
        seen, usable = probe_nodes(found, None, b"", on_gpus), "cannot be written"
    findings.facts += [*node_reports.facts(seen, versions()), ("storage", usable)]
    findings.problems += node_reports.problems(seen, versions(), on_gpus)
    findings.facts.append(_plan_fact(config, _plan(config, list(found.values()))))


def _plan(config: Config, found: list[resources.NodeTotals]) -> resources.Plan:
    share = config.resources
    return resources.plan(found, config.members.count, share.gpus_per_member, share.cpus_per_member)


def _plan_fact(config: Config, plan: resources.Plan) -> tuple[str, str]:
    members, asked = config.members.count, config.resources.gpus_per_member
    may_share = asked == "auto" and plan.gpus_per_member > 0 and resources.most_on_a_gpu(plan.nodes, members) > 1
    more = "; a run first tries whether several had better share each" if may_share else ""
    return "plan", f"{members} members: {plan.reason}{more}"


def _packages() -> str:
    return ", ".join([f"digits-ray {__version__}", *(f"{name} {_version(name)}" for name in PACKAGES)])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _precision(plan: resources.Plan) -> str:
    if plan.gpus_per_member:
        return "auto: bfloat16 on GPUs that have it (Ampere or newer), float32 on others"
    if device.cpu_has_bfloat16():
        return "auto: bfloat16, which this CPU multiplies in hardware"
    return "auto: float32, for this CPU has neither AMX nor AVX512_BF16"


@contextmanager
def _probe(place: str) -> Iterator[tuple[Store, str]]:
    """Gives a folder in the run directory that can be written, so that a run does not find out after an hour.

    All that was written is taken away again.
    """
    store = Store.at(place)
    there = store.local_path is None or store.local_path.exists()
    store.write(f"{layout.DOCTOR_PROBE}/driver", os.urandom(8))
    try:
        yield store.subfolder(layout.DOCTOR_PROBE), _room(store)
    finally:
        store.delete_folder(layout.DOCTOR_PROBE)
        if store.local_path and not there:
            store.local_path.rmdir()


def _room(store: Store) -> str:
    if store.local_path is None:
        return f"{store.uri} can be written"
    return f"{store.local_path} can be written, {shutil.disk_usage(store.local_path).free / 2**30:,.0f} GiB free"
