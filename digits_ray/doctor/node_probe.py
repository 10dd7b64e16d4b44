"""Collects a report from every node of the cluster: a task on each, and one deadline for all."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits_ray.doctor.node_reports import ClusterReport, MissingReport, NodeReport, StorageAccess, Versions
from digits_ray.errors import RunError, UserError
from digits_ray.scheduling import NodeTotals
from digits_ray.scheduling.ray_internals import asks_for_token
from digits_ray.storage import Store, shares_storage
from digits_ray.training import device
from digits_ray.version import __version__

DEADLINE_SECONDS = 60.0  # a process has to start and to load TensorFlow, perhaps from a slow disk
STORAGE_SECONDS = 5.0  # for which storage that fails is tried again


def probe_nodes(
    totals: dict[str, NodeTotals],
    folder: Store | None,
    probe: bytes,
    on_gpus: bool,
    backend: str = "tensorflow",
    deadline: float = DEADLINE_SECONDS,
) -> ClusterReport:
    """Collects reports from all nodes at once; a busy node answers too, for the task needs no CPU.

    Args:
        totals: The live nodes, by id.
        folder: In the run directory, where each node tries to write; None where the driver cannot write it.
        probe: What the driver has written there.
        on_gpus: Members would use a GPU where there is one.
        backend: Of Keras, that members would train on.
        deadline: Seconds after which a node counts as one that does not answer.
    """
    node_of = {
        _report_of_this_node.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            node_id, folder, probe, on_gpus, backend
        ): node_id
        for node_id in totals
    }
    answered, silent = ray.wait(list(node_of), num_returns=len(node_of), timeout=deadline)
    reason = f"no answer within {deadline:.0f} s. End that node, or repair it."
    missing = [MissingReport(node_of[task], reason) for task in silent]
    return ClusterReport(totals, (*(_received(task, node_of[task]) for task in answered), *missing))


def versions(backend: str = "tensorflow") -> Versions:
    """Returns the versions that must agree between the driver and every node, by name.

    Args:
        backend: Of Keras, that members would train on.
    """
    packages = ((name, _version(name)) for name in ("ray", backend, "keras"))
    return (("python", platform.python_version()), *packages, ("digits-ray", f"{__version__} ({_code_hash()})"))


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)  # one call: TensorFlow's memory goes with the process
def _report_of_this_node(node_id: str, folder: Store | None, probe: bytes, on_gpus: bool, backend: str) -> NodeReport:
    device.claim(device.DeviceResources(threads=1, gpus=float(on_gpus), backend=backend))
    precision = device.resolve_precision("auto").removeprefix("mixed_")
    storage, storage_error = _storage_access(folder, node_id, probe)
    return NodeReport(
        node_id=node_id,
        backend=backend,
        versions=versions(backend),
        device=device.name(),
        gpus=device.gpus(),
        precision=precision,
        storage=storage,
        storage_error=storage_error,
        token=asks_for_token(),
    )


def _storage_access(folder: Store | None, node_id: str, probe: bytes) -> tuple[StorageAccess, str]:
    """Returns whether this process sees the driver's folder and can write there; with the error where it fails."""
    if folder is None:
        return StorageAccess.UNTESTED, ""
    try:
        # On a disk of the node's own, writing would create the path.
        if folder.local_path is None or shares_storage(folder, probe):
            folder.write(node_id, probe, STORAGE_SECONDS)
        return (StorageAccess.SHARED if shares_storage(folder, probe) else StorageAccess.SEPARATE), ""
    except (UserError, RunError, OSError) as error:
        return StorageAccess.FAILED, str(error)


def _received(task: "ray.ObjectRef[NodeReport]", node_id: str) -> NodeReport | MissingReport:
    try:
        return ray.get(task)
    except RayTaskError as error:  # a package is missing, or does not load there
        return MissingReport(node_id, f"{_last_line(error)}. Install there what is installed here.")
    except RayError as error:
        return MissingReport(
            node_id, f"its process or the node is gone ({_last_line(error)}). End that node, or repair it."
        )


def _last_line(error: RayError) -> str:
    return str(error).strip().splitlines()[-1].rstrip(".")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _code_hash() -> str:
    """Returns a hash of our own code: the version alone does not distinguish two states of it."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
