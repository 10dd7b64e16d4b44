"""Several members as one program, each with its own numbers, saved epochs and failure, as if it were alone.

One small network does not fill a GPU. Members of one kind that are as far as each other are stacked; what cannot be
stacked is trained one after another.
"""

import logging
from collections.abc import Callable, Sequence

import keras
import numpy as np

from digits_ray.config import MemberSpec
from digits_ray.data import Rows, RowSource
from digits_ray.ensemble import MemberResult
from digits_ray.progress import Progress
from digits_ray.training import architectures, device
from digits_ray.training.checkpoints import Checkpoints
from digits_ray.training.device_loop import DeviceRows
from digits_ray.training.fit import MemberFit, fit_member, training_batches
from digits_ray.training.numbers_version import latest_state, saved_epochs

log = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]


def fit_stack(
    specs: Sequence[MemberSpec],
    rows: RowSource,
    checkpoints: Sequence[Checkpoints | None],
    on_progress: OnProgress = lambda progress: None,
) -> list[MemberResult | Exception]:
    """Trains members, and predicts the rows that each never saw.

    Args:
        specs: Of the members.
        rows: As for `fit_member`.
        checkpoints: Of each member, as for `fit_member`.
        on_progress: Called with each member's progress.

    Returns:
        Each member's result, or the error that ended it.

    Raises:
        Exception: what concerns all members of a program, such as a GPU without memory.
    """
    outcomes: dict[int, MemberResult | Exception] = {}
    for group in _groups(specs, rows, checkpoints):
        if len(group) == 1:
            outcomes[group[0]] = _fit_alone(specs[group[0]], rows, checkpoints[group[0]], on_progress)
            continue
        stack = _Stack()
        for number in group:
            stack.add(MemberFit.prepare(specs[number], rows, checkpoints[number], on_progress, stacked=True))
        stack.train()
        outcomes |= dict(zip(group, stack.outcomes(), strict=True))
    return [outcomes[number] for number in range(len(specs))]


def _fit_alone(
    spec: MemberSpec, rows: RowSource, checkpoints: Checkpoints | None, on_progress: OnProgress
) -> MemberResult | Exception:
    try:
        return fit_member(spec, rows, checkpoints, on_progress)
    except Exception as error:
        return error


def _groups(specs: Sequence[MemberSpec], rows: RowSource, checkpoints: Sequence[Checkpoints | None]) -> list[list[int]]:
    """Returns the members, by their number in `specs`, in groups that are one program each."""
    groups: dict[object, list[int]] = {}
    for number, (spec, saved) in enumerate(zip(specs, checkpoints, strict=True)):
        kind: object = number  # unlike any other's
        if _can_be_stacked(spec, rows):
            epochs = saved_epochs(latest_state(saved.candidates())) if saved else 0
            kind = (spec.architecture, spec.recipe, len(training_batches(spec, rows)[0]), epochs)
        groups.setdefault(kind, []).append(number)
    return list(groups.values())


def _can_be_stacked(spec: MemberSpec, rows: RowSource) -> bool:
    """Returns whether a member trains in long calls on JAX, by a network of ours, and watches no rows."""
    return (
        keras.backend.backend() == "jax"
        and spec.architecture in architectures.BUILDERS
        and spec.recipe.validation == 0
        and isinstance(rows, Rows)
        and device.trains_in_long_calls(rows.images.nbytes)
    )


class _Stack:
    """Members of one kind that are as far as each other; the network's variables hold one of them at a time."""

    def __init__(self) -> None:
        self.fits: list[MemberFit] = []
        self.states: list[list[list[object]]] = []  # of each member at its start
        self.callbacks: list[keras.callbacks.CallbackList] = []
        self.errors: dict[int, Exception] = {}  # by the member's number in the stack

    def add(self, fit: MemberFit) -> None:
        """Adds a member whose state the variables hold."""
        self.fits.append(fit)
        self.states.append(fit.compiled.stack_loop.read_state())
        steps = {"epochs": fit.epochs, "steps": len(fit.batches), "verbose": 0}
        callbacks = fit.callbacks.in_order()
        self.callbacks.append(keras.callbacks.CallbackList(callbacks, model=fit.compiled.network, **steps))

    def train(self) -> None:
        """Trains all members up to their last epoch, or until none is left."""
        from digits_ray.training.stack_loop import stack_states  # JAX

        first = self.fits[0]
        self.loop, self.network = first.compiled.stack_loop, first.compiled.network
        self.stack = stack_states(self.states)
        self.states.clear()
        log.info("members %s are one program", ", ".join(str(fit.spec.member_id) for fit in self.fits))
        index = np.unique(np.concatenate([fit.batches.index for fit in self.fits]))  # folds differ
        rows = self.loop.rows_at(first.rows, index)
        for callbacks in self.callbacks:
            callbacks.on_train_begin()
        for epoch in range(first.first_epoch, first.epochs):
            if self._running():
                self._train_epoch(rows, epoch)

    def outcomes(self) -> list[MemberResult | Exception]:
        """Returns each member's result, or the error that ended it."""
        for number in self._running():
            self.callbacks[number].on_train_end()
        return [self.errors.get(number) or self._outcome(number) for number in range(len(self.fits))]

    def _outcome(self, number: int) -> MemberResult | Exception:
        self._load(number)
        try:
            return self.fits[number].result()
        except Exception as error:
            return error

    def _train_epoch(self, rows: DeviceRows, epoch: int) -> None:
        """Trains all members, those too that have failed: a smaller stack would be another program to compile."""
        self.network.reset_metrics()
        self.stack = self.loop.with_metrics_of_network(self.stack, len(self.fits))
        for number in self._running():
            self.callbacks[number].on_epoch_begin(epoch)
        for stretch in self.loop.stretches(self.fits[0].batches):
            orders = np.stack([rows.order(fit.batches, stretch) for fit in self.fits])
            self.stack = self.loop.trained(self.stack, rows, orders)
            for number in self._running():
                self._load(number)
                self.callbacks[number].on_train_batch_end(stretch.stop - 1, self.network.get_metrics_result())
        for number in self._running():
            self._end_epoch(number, epoch)

    def _end_epoch(self, number: int, epoch: int) -> None:
        self._load(number)
        logs = keras.tree.map_structure(float, self.network.get_metrics_result())
        try:
            self.callbacks[number].on_epoch_end(epoch, logs)
        except FloatingPointError as error:  # no number of one member is in another's
            self.errors[number] = error

    def _load(self, number: int) -> None:
        """Sets the network's variables to a member's state."""
        from digits_ray.training.stack_loop import state_of  # JAX

        self.loop.write_state(state_of(self.stack, number))

    def _running(self) -> list[int]:
        return [number for number in range(len(self.fits)) if number not in self.errors]
