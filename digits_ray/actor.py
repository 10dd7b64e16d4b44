"""One process that trains members, one after another: a thin shell round `fit_member`."""

import logging
import traceback
from typing import TYPE_CHECKING

import ray

from digits_ray import data, device
from digits_ray.config import MemberSpec
from digits_ray.predictions import MemberFailure, MemberResult
from digits_ray.progress import Progress
from digits_ray.rundir import SavedEpochs
from digits_ray.store import Store

if TYPE_CHECKING:
    from ray.data import Dataset


@ray.remote(max_restarts=0)
class MemberActor:
    """Holds the rows, or a stream of them, and its share of a device. It never calls the driver or another actor."""

    def __init__(self, dataset: "Dataset", num_classes: int, share: device.DeviceShare, store: Store) -> None:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        device.claim(share)
        self.rows = data.open_rows(dataset, num_classes, share.data_gib)
        self.store = store
        self.latest: Progress | None = None

    def fit(self, spec: MemberSpec, attempt: str) -> MemberResult | MemberFailure:
        """Trains one member, going on from its last saved epoch."""
        from digits_ray.member import fit_member  # loads TensorFlow, in this process alone

        self.latest = None
        try:
            return fit_member(spec, self.rows, SavedEpochs(self.store, spec.member_id, attempt), self._progress)
        except Exception as error:
            return MemberFailure(spec.member_id, type(error).__name__, str(error), 1, traceback.format_exc())

    def progress(self) -> Progress | None:
        """Tells how far the running fit is; answers while `fit` runs."""
        return self.latest

    def _progress(self, progress: Progress) -> None:
        self.latest = progress
