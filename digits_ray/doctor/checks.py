"""What this machine or cluster has, what a run would use, what is missing."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from digits_ray.config import Config
from digits_ray.doctor import backends, node_reports
from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.runs.inputs import check_backend
from digits_ray.runs.networks import with_network_hashes
from digits_ray.scheduling import (
    cluster_address,
    live_nodes,
    live_nodes_by_id,
    plan_on_live_nodes,
    ray_session,
    resources,
)
from digits_ray.storage import RunDirectory, Store, layout
from digits_ray.training import device
from digits_ray.version import __version__

PACKAGES = ("ray", "tensorflow", "jax", "keras", "scikit-learn")


@dataclass
class Findings:
    """What there is, as names and texts, and what prevents a run, a line each."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def examine(config: Config) -> Findings:
    """Checks everything that a run of this configuration needs; trains nothing."""
    findings = Findings(
        [("python", f"{platform.python_version()} on {platform.platform()}"), ("packages", _packages())]
    )
    findings.problems += _missing_files(config)
    try:
        check_backend(config.members.recipe)
        with_network_hashes(config)
    except UserError as error:
        findings.problems.append(str(error))
    try:
        with ray_session(config.resources):
            if cluster_address(config.resources):
                _examine_cluster(config, findings)
            else:
                _examine_machine(config, findings)
    except UserError as error:
        findings.problems.append(str(error))
    return findings


def _missing_files(config: Config) -> list[str]:
    """Returns a line for each local file of the run that does not exist."""
    files = {role: getattr(config.data, role) for role in ("train", "test", "holdout")}
    local = {role: path for role, path in files.items() if path is not None and not is_remote(path)}
    missing = {role: path for role, path in local.items() if not local_path(path).exists()}
    return [f"--{role} {path}: no such file or folder. Check the path." for role, path in missing.items()]


def _examine_machine(config: Config, findings: Findings) -> None:
    nodes = live_nodes()
    findings.facts += [("machine", str(node)) for node in nodes]
    plan = plan_on_live_nodes(config)
    _examine_backends(config, sum(int(node.gpus) for node in nodes), findings)
    findings.facts += [("precision", _precision(plan)), *_plan_facts(config, plan)]
    with _writable_folder(config.out or "runs") as (_, usable):
        findings.facts.append(("storage", usable))


def _examine_backends(config: Config, gpus: int, findings: Findings) -> None:
    if not gpus or config.resources.gpus_per_member == 0:
        return
    checks = backends.check_backends()
    findings.facts += backends.facts(checks, gpus)
    findings.problems += backends.problems(checks, gpus, config.members.recipe.backend)


def _examine_cluster(config: Config, findings: Findings) -> None:
    from digits_ray.doctor.node_probe import (  # Ray, which reads its environment when it is imported
        probe_nodes,
        versions,
    )

    nodes, on_gpus = live_nodes_by_id(), config.resources.gpus_per_member != 0
    backend = config.members.recipe.backend
    expected = versions(backend)
    try:
        with _writable_folder(config.out or "runs") as (store, usable):
            reports = probe_nodes(nodes, store, RunDirectory(store).write_probe(), on_gpus, backend)
    except UserError as error:
        findings.problems.append(str(error))
        reports, usable = probe_nodes(nodes, None, b"", on_gpus, backend), "cannot be written"
    findings.facts += [*node_reports.facts(reports, expected), ("storage", usable)]
    findings.problems += node_reports.problems(reports, expected, on_gpus)
    findings.facts += _plan_facts(config, plan_on_live_nodes(config))


def _plan_facts(config: Config, plan: resources.Plan) -> list[tuple[str, str]]:
    warnings = [("warning", warning) for warning in plan.warnings]
    return [("plan", f"{config.members.count} members: {plan.reason}"), *warnings]


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
    return "auto: float32, as this CPU has neither AMX nor AVX512_BF16"


@contextmanager
def _writable_folder(out: str) -> Iterator[tuple[Store, str]]:
    """Yields a folder in the run directory that has been written to, and a text on the storage; deletes it again.

    Raises:
        UserError: it cannot be written; a run would fail only when its first member is trained.
    """
    store = Store.at(out)
    existed = store.local_path is None or store.local_path.exists()
    store.write(f"{layout.DOCTOR_PROBE}/driver", os.urandom(8))
    try:
        yield store.subfolder(layout.DOCTOR_PROBE), _storage_fact(store)
    finally:
        store.delete_folder(layout.DOCTOR_PROBE)
        if store.local_path and not existed:
            store.local_path.rmdir()


def _storage_fact(store: Store) -> str:
    if store.local_path is None:
        return f"{store.uri} can be written"
    return f"{store.local_path} can be written, {shutil.disk_usage(store.local_path).free / 2**30:,.0f} GiB free"
