"""One process that trains members, one or a stack after another: a thin shell round the functions that fit them."""

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from digits_ray import data
from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberFailure, MemberResult
from digits_ray.error_cause import root_cause
from digits_ray.progress import Progress
from digits_ray.storage import SavedEpochs, Store, shares_storage
from digits_ray.training import DeviceResources
from digits_ray.training.network_files import NetworkFile, register_networks

if TYPE_CHECKING:
    from ray.data import Dataset

log = logging.getLogger(__name__)

Outcome = MemberResult | MemberFailure

FIT_STACK = "digits_ray.training.stack:fit_stack"  # imported in the actor alone, like `ActorInputs.prepare_fit`


@dataclass(frozen=True)
class ActorInputs:
    """What every actor is given."""

    dataset: "Dataset"
    num_classes: int
    store: Store  # the run directory
    probe: bytes  # that the driver wrote there: an actor that cannot read it does not see the run directory
    compilation_cache: bool = True  # as `DeviceResources` has it
    networks: tuple[NetworkFile, ...] = ()  # of the user's own
    prepare_fit: str = "digits_ray.training.process:prepare_fit"  # imported in the actor alone: it loads TensorFlow


@dataclass(frozen=True)
class SavedEpoch:
    """The state of an unfinished member, on its way to the driver."""

    member_id: int
    epoch: int
    state: bytes


@dataclass(frozen=True)
class Activity:
    """The calls into the backend of a running fit, as its own process times them: whether it gets on."""

    calls: int  # that have ended
    idle_seconds: float  # since the last one ended, or since the fit began
    longest_seconds: float  # of those that have ended


@dataclass
class CallClock:
    """Times the calls of one fit; each report of its progress ends one."""

    calls: int = 0
    longest: float = 0.0  # seconds
    last: float = field(default_factory=time.monotonic)

    def end_call(self) -> None:
        """Counts the call that has just ended."""
        now = time.monotonic()
        self.calls, self.longest, self.last = self.calls + 1, max(self.longest, now - self.last), now

    def activity(self) -> Activity:
        """Returns what is known now."""
        return Activity(self.calls, time.monotonic() - self.last, self.longest)


@dataclass(frozen=True)
class ActorUpdate:
    """What an actor reports to the driver while it trains."""

    progress: tuple[Progress, ...] = ()  # of each member in training
    saved: tuple[SavedEpoch, ...] = ()  # the last epochs that could not be saved from there, handed over once
    activity: Activity | None = None  # None between two fits


@ray.remote(max_restarts=0)
class MemberActor:
    """Holds the rows, or a stream of them, and its part of a device. It never calls the driver or another actor."""

    def __init__(self, inputs: ActorInputs, resources: DeviceResources) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")  # into this process's log on its node
        logging.getLogger("digits_ray").setLevel(logging.INFO)
        register_networks(inputs.networks)
        self.fit_member = resolve_name(inputs.prepare_fit)(resources)
        self.rows = data.open_rows(inputs.dataset, inputs.num_classes, resources.data_gib)
        self.store, self.sees_store = inputs.store, shares_storage(inputs.store, inputs.probe)
        self.progress: dict[int, Progress] = {}  # by member
        self.saved: dict[int, SavedEpoch] = {}  # alike
        self.clock: CallClock | None = None  # of the running fit

    def fit(self, specs: list[MemberSpec], attempt: str, states: list[bytes | None]) -> list[Outcome]:
        """Trains one member, or several as a stack.

        Args:
            specs: Of the members.
            attempt: Its name.
            states: Of each, the saved epoch to continue from.
        """
        self.progress, self.saved, self.clock = {}, {}, CallClock()
        names = [_name(spec, attempt) for spec in specs]
        for name, spec in zip(names, specs, strict=True):
            log.info("%s: starts, seed %d, fold %d", name, spec.seed, spec.fold)
        epochs = [self._epochs(spec, attempt, state) for spec, state in zip(specs, states, strict=True)]
        try:
            outcomes = self._fit(specs, epochs)
        finally:
            self.clock = None
        return [_reported(name, spec, outcome) for name, spec, outcome in zip(names, specs, outcomes, strict=True)]

    def _fit(self, specs: list[MemberSpec], epochs: list["_Epochs"]) -> Sequence[MemberResult | Exception]:
        try:
            if len(specs) == 1:
                return [self.fit_member(specs[0], self.rows, epochs[0], self._record_progress)]
            return resolve_name(FIT_STACK)(specs, self.rows, epochs, self._record_progress)
        except Exception as error:
            return [error] * len(specs)

    def _epochs(self, spec: MemberSpec, attempt: str, state: bytes | None) -> "_Epochs":
        files = SavedEpochs(self.store, spec.member_id, attempt, spec.is_refit) if self.sees_store else None
        return _Epochs(self, spec.member_id, state, files)

    def latest_update(self) -> ActorUpdate:
        """Returns how far the running fit is; answers while `fit` runs."""
        clock = self.clock
        saved = tuple(self.saved.pop(member_id) for member_id in list(self.saved))
        return ActorUpdate(tuple(self.progress.copy().values()), saved, clock.activity() if clock else None)

    def record_call(self) -> None:
        """Notes that the running fit gets on."""
        if self.clock:
            self.clock.end_call()

    def _record_progress(self, progress: Progress) -> None:
        self.progress[progress.member_id] = progress
        self.record_call()


def _name(spec: MemberSpec, attempt: str) -> str:
    return f"{'refit of ' * spec.is_refit}member {spec.member_id:03d}, attempt {attempt}"


def _reported(name: str, spec: MemberSpec, outcome: MemberResult | Exception) -> Outcome:
    """Returns what goes to the driver, and logs it."""
    if isinstance(outcome, MemberResult):
        log.info("%s: done after %d epochs, %.0f s", name, len(outcome.history), outcome.fit_seconds)
        return outcome
    log.error("%s: failed", name, exc_info=outcome)
    return failure_of(spec.member_id, outcome)


def failure_of(member_id: int, error: Exception) -> MemberFailure:
    """Returns a first attempt's failure by an error that `fit` has caught; Ray's own errors are losses."""
    cause, lost = root_cause(error), isinstance(error, RayError) and not isinstance(error, RayTaskError)
    details = "".join(traceback.format_exception(error))
    return MemberFailure(member_id, cause.error_type, cause.message, 1, details, lost=lost, origin=cause.origin)


@dataclass(frozen=True)
class _Epochs:
    """Saves epochs to the run directory, or keeps the last one for the driver where that cannot be seen from here."""

    actor: MemberActor
    member_id: int
    state: bytes | None
    files: SavedEpochs | None

    def candidates(self) -> Iterator[bytes]:
        if self.state is not None:
            yield self.state

    def save(self, epoch: int, state: bytes) -> None:
        if self.files:
            self.files.save(epoch, state)
        else:
            self.actor.saved[self.member_id] = SavedEpoch(self.member_id, epoch, state)
        self.actor.record_call()
