"""What a process that trains members prepares once: its device, then the function that trains them."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from digits_ray.config import MemberSpec
from digits_ray.data import RowSource
from digits_ray.ensemble import MemberResult
from digits_ray.progress import Progress
from digits_ray.training import device

if TYPE_CHECKING:
    from digits_ray.training.fit import Checkpoints

log = logging.getLogger(__name__)

FitFunction = Callable[[MemberSpec, RowSource, "Checkpoints", Callable[[Progress], None]], MemberResult]


def prepare_fit(resources: device.DeviceResources) -> FitFunction:
    """Limits this process to its resources and returns what trains members with them: `fit_member`, on all its GPUs.

    Args:
        resources: What the process may use; it cannot be changed later.

    Raises:
        ImportError: the backend is not installed.
    """
    device.claim(resources)

    def fit(
        spec: MemberSpec, rows: RowSource, checkpoints: "Checkpoints", on_progress: Callable[[Progress], None]
    ) -> MemberResult:
        from digits_ray.training.fit import fit_member  # imports Keras, which reads its backend then

        log.info("trains on %s", device.name())
        with device.all_gpus():
            return fit_member(spec, rows, checkpoints, on_progress)

    return fit
