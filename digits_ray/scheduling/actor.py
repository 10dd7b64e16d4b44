"""One process that trains members, one after another: a thin shell round the function that fits one."""

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import ray

from digits_ray import data
from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.progress import Progress
from digits_ray.storage import SavedEpochs, Store, shares_storage
from digits_ray.training import DeviceResources

if TYPE_CHECKING:
    from ray.data import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActorInputs:
    """What every actor is given."""

    dataset: "Dataset"
    num_classes: int
    store: Store  # the run directory
    probe: bytes  # that the driver wrote there: an actor that cannot read it does not see the run directory
    compilation_cache: bool = True  # as `DeviceResources` has it
    prepare_fit: str = "digits_ray.training.process:prepare_fit"  # imported in the actor alone: it loads TensorFlow


@dataclass(frozen=True)
class SavedEpoch:
    """The state of an unfinished member, on its way to the driver."""

    epoch: int
    state: bytes


@dataclass(frozen=True)
class ActorUpdate:
    """What an actor reports to the driver while it trains."""

    progress: Progress | None = None
    saved: SavedEpoch | None = None  # the last epoch that could not be saved from there, handed over once


@ray.remote(max_restarts=0)
class MemberActor:
    """Holds the rows, or a stream of them, and its part of a device. It never calls the driver or another actor."""

    def __init__(self, inputs: ActorInputs, resources: DeviceResources) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")  # into this process's log on its node
        logging.getLogger("digits_ray").setLevel(logging.INFO)
        self.fit_member = resolve_name(inputs.prepare_fit)(resources)
        self.rows = data.open_rows(inputs.dataset, inputs.num_classes, resources.data_gib)
        self.store, self.sees_store = inputs.store, shares_storage(inputs.store, inputs.probe)
        self.progress: Progress | None = None
        self.saved: SavedEpoch | None = None

    def fit(self, spec: MemberSpec, attempt: str, state: bytes | None = None) -> MemberResult | MemberFailure:
        """Trains one member, continuing from `state`, the last epoch that the driver knows to be saved."""
        self.progress = self.saved = None
        files = SavedEpochs(self.store, spec.member_id, attempt) if self.sees_store else None
        name = f"member {spec.member_id:03d}, attempt {attempt}"
        log.info("%s: starts, seed %d, fold %d", name, spec.seed, spec.fold)
        try:
            result = self.fit_member(spec, self.rows, _Epochs(self, state, files), self._record_progress)
            log.info("%s: done after %d epochs, %.0f s", name, len(result.history), result.fit_seconds)
            return result
        except Exception as error:
            log.exception("%s: failed", name)
            return MemberFailure(spec.member_id, type(error).__name__, str(error), 1, traceback.format_exc())

    def latest_update(self) -> ActorUpdate:
        """Returns how far the running fit is; answers while `fit` runs."""
        saved, self.saved = self.saved, None
        return ActorUpdate(self.progress, saved)

    def _record_progress(self, progress: Progress) -> None:
        self.progress = progress


@dataclass(frozen=True)
class _Epochs:
    """Saves epochs to the run directory, or keeps the last one for the driver where that cannot be seen from here."""

    actor: MemberActor
    state: bytes | None
    files: SavedEpochs | None

    def candidates(self) -> Iterator[bytes]:
        if self.state is not None:
            yield self.state

    def save(self, epoch: int, state: bytes) -> None:
        if self.files:
            self.files.save(epoch, state)
        else:
            self.actor.saved = SavedEpoch(epoch, state)
