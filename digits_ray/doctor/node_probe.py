"""Asks every node of the cluster what it has: a task on each, and one deadline for all."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits_ray.doctor.node_reports import APART, SHARED, UNTRIED, NodeReport, NodeReports, NoReport
from digits_ray.errors import RunError, UserError
from digits_ray.scheduling import NodeTotals
from digits_ray.storage import Store, shares_storage
from digits_ray.training import device
from digits_ray.version import __version__

DEADLINE_SECONDS = 60.0  # a process has to start and to load TensorFlow, perhaps from a slow disk
PROBE_SECONDS = 5.0  # for which storage that fails is tried again


def probe_nodes(
    totals: dict[str, NodeTotals],
    probe: Store | None,
    mark: bytes,
    on_gpus: bool,
    deadline: float = DEADLINE_SECONDS,
) -> NodeReports:
    """Asks all nodes at once; one that is busy answers too, for the task takes no CPU.

    Args:
        totals: The live nodes, by id.
        probe: A folder in the run directory where each node may try to write; None where there can be none.
        mark: That the driver has left there.
        on_gpus: Members would use a GPU where there is one.
        deadline: Seconds after which a node counts as one that does not answer.
    """
    asked = {
        _look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            node_id, probe, mark, on_gpus
        ): node_id
        for node_id in totals
    }
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=deadline)
    late = [NoReport(asked[one], f"no answer within {deadline:.0f} s. End that node, or mend it.") for one in silent]
    return NodeReports(totals, (*(_answer(one, asked[one]) for one in answered), *late))


def versions() -> tuple[tuple[str, str], ...]:
    """Returns the versions that must agree between the driver and every node, by name."""
    packages = ((name, _version(name)) for name in ("ray", "tensorflow", "keras"))
    return (("python", platform.python_version()), *packages, ("digits-ray", f"{__version__} ({_code()})"))


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)  # one call: TensorFlow's memory goes with the process
def _look(node_id: str, probe: Store | None, mark: bytes, on_gpus: bool) -> NodeReport:
    """Looks round on one node."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    device.claim(device.DeviceResources(threads=1, gpus=float(on_gpus)))
    return NodeReport(
        node_id=node_id,
        versions=versions(),
        device=device.name(),
        gpus=device.gpus(),
        precision=device.resolve_precision("auto").removeprefix("mixed_"),
        storage=_storage(probe, node_id, mark),
        token=is_token_auth_enabled(),
    )


def _storage(probe: Store | None, node_id: str, mark: bytes) -> str:
    """Tells whether this process sees the driver's folder and can write there: SHARED, APART, UNTRIED or the error."""
    if probe is None:
        return UNTRIED
    try:
        if probe.local_path is None or shares_storage(
            probe, mark
        ):  # a path that is not shared would be made by writing
            probe.write(node_id, mark, PROBE_SECONDS)
        return SHARED if shares_storage(probe, mark) else APART
    except (UserError, RunError, OSError) as error:
        return str(error)


def _answer(reference: "ray.ObjectRef[NodeReport]", node_id: str) -> NodeReport | NoReport:
    try:
        return ray.get(reference)
    except RayTaskError as error:  # it lacks a package, or one does not load there
        return NoReport(node_id, f"{_last_line(error)}. Install there what is installed here.")
    except RayError as error:
        return NoReport(node_id, f"its process or the node is gone ({_last_line(error)}). End that node, or mend it.")


def _last_line(error: RayError) -> str:
    return str(error).strip().splitlines()[-1].rstrip(".")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _code() -> str:
    """Returns what tells two states of our own code apart that bear one version."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
