"""Predicting on a cluster: blocks of rows in Ray's object store, and actors that each hold all members."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.config import ResourcesConfig
from digits_ray.data import assemble, put_images
from digits_ray.error_cause import cause_in_text, root_cause
from digits_ray.errors import RunError
from digits_ray.scheduling import resources
from digits_ray.scheduling.session import live_nodes, ray_session
from digits_ray.training import DeviceResources, device
from digits_ray.training.network_files import NetworkFile, register_networks, registered_networks

if TYPE_CHECKING:
    import ray

BLOCK_PIXELS = 1024 * 28 * 28  # of the rows that an actor is given at a time; a lost actor costs no more


class Predictor:
    """All members of an ensemble in a process of their own, for Ray Data to call."""

    def __init__(
        self, archives: "ray.ObjectRef[Sequence[bytes]]", networks: Sequence[NetworkFile], limits: DeviceResources
    ) -> None:
        """Takes the members' .keras archives, in the object store, users' own networks, what this process may use."""
        import ray

        device.claim(limits)
        register_networks(networks)
        from digits_ray.training import build_program, load_model  # imports Keras, which reads its backend then

        self.program = build_program([load_model(archive) for archive in ray.get(archives)])

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the probabilities of a block's rows, (rows, classes) float32, and their positions."""
        return {"position": block["position"], "proba": self.program.mean_proba(block["image"])}


def predict_on_cluster(
    archives: Sequence[bytes], backend: str, images: np.ndarray, address: str, on_rows: Callable[[int], None]
) -> np.ndarray:
    """Returns the mean of the members' probabilities, computed by actors of a cluster.

    Ray starts an actor that dies anew, wherever it fits, and gives it the lost block again.

    Args:
        archives: The members' .keras archives.
        backend: Of Keras.
        images: (rows, height, width[, 3]) uint8.
        address: Of the cluster; "local" starts Ray here.
        on_rows: Called after each block with the number of rows that are predicted so far.

    Returns:
        (rows, classes) float32, in the order of the images.

    Raises:
        UserError: no cluster answers at the address.
        RunError: the cluster has gone since, or an actor raised an error.
    """
    with ray_session(ResourcesConfig(address=address)):
        block_rows = max(1, BLOCK_PIXELS // math.prod(images.shape[1:]))
        plan = resources.plan(live_nodes(), math.ceil(len(images) / block_rows), "auto", "auto")
        blocks = _predicted_blocks(archives, backend, put_images(images, block_rows), plan)
        with _predictor_errors():
            return assemble(_counted(blocks, on_rows), len(images))["proba"]


@contextmanager
def _predictor_errors() -> Iterator[None]:
    """Tells what an actor raised in one line; other errors are the cluster's."""
    from ray.exceptions import ActorDiedError, RayTaskError

    try:
        yield
    except (ActorDiedError, RayTaskError) as error:
        cause = cause_in_text(str(error)) or root_cause(error)  # its text first: Ray Data chains an error of its own
        raise RunError(f"a process of the cluster cannot predict ({cause}).") from error


def _predicted_blocks(
    archives: Sequence[bytes], backend: str, dataset: Any, plan: resources.Plan
) -> Iterable[Mapping[str, Any]]:
    import ray.data

    limits = DeviceResources(plan.threads, plan.gpus_per_member, backend=backend)
    predicted = dataset.map_batches(
        Predictor,
        fn_constructor_args=(ray.put(archives), registered_networks(), limits),
        batch_size=None,  # a block
        compute=ray.data.ActorPoolStrategy(size=plan.slots),
        num_cpus=plan.cpus_per_member,
        num_gpus=plan.gpus_per_member,
    )
    return predicted.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)


def _counted(blocks: Iterable[Mapping[str, Any]], on_rows: Callable[[int], None]) -> Iterator[Mapping[str, Any]]:
    """Passes blocks on, and tells how many rows they hold so far."""
    rows = 0
    for block in blocks:
        yield block
        rows += len(block["position"])
        on_rows(rows)
