"""What this machine or cluster has, what a run would use, what is missing."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from digits_ray import __version__, device, resources
from digits_ray.config import Config
from digits_ray.errors import UserError
from digits_ray.session import nodes, session
from digits_ray.store import Store

PACKAGES = ("ray", "tensorflow", "keras", "scikit-learn")
WRITTEN = ".doctor"  # a file that is written to the storage and taken away again


@dataclass(frozen=True)
class Findings:
    """What was found, as names and texts, and what stands in the way of a run."""

    facts: list[tuple[str, str]]
    problem: str | None


def examine(config: Config) -> Findings:
    """Looks at everything that a run of this configuration needs; trains nothing."""
    facts = [("python", f"{platform.python_version()} on {platform.platform()}"), ("packages", _packages())]
    problem = None
    try:
        with session(config.resources):
            found = nodes()
            facts += [("cluster" if config.resources.address else "machine", str(node)) for node in found]
            share = config.resources
            plan = resources.plan(found, config.members.count, share.gpus_per_member, share.cpus_per_member)
        facts += [("precision", _precision(plan)), ("plan", f"{config.members.count} members: {plan.reason}")]
        facts.append(("storage", _storage(config.out or "runs")))
    except UserError as error:
        problem = str(error)
    return Findings(facts, problem)


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


def _storage(place: str) -> str:
    """Writes and deletes one small file, so that a run does not find out after an hour."""
    store = Store.at(place)
    there = store.local_path is None or store.local_path.exists()
    store.write(WRITTEN, os.urandom(8))
    store.delete(WRITTEN)
    if store.local_path is None:
        return f"{place} can be written"
    if not there:
        store.local_path.rmdir()
    free = shutil.disk_usage(store.local_path if there else store.local_path.parent).free / 2**30
    return f"{store.local_path} can be written, {free:,.0f} GiB free"
