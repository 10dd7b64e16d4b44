"""Several members as one program, each with its own numbers, saved epochs and failure, as if it were alone.

One small network does not fill a GPU. Members of one kind that are as far as each other are stacked; what cannot be
stacked is trained one after another.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from digits_ray.training.jax_loop import State

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
        Each member's result, or the error that ended it; members of one program share what ended that, such as a GPU
        without memory.
    """
    outcomes: dict[int, MemberResult | Exception] = {}
    for group in _groups(specs, rows, checkpoints):
        kind, saved = [specs[number] for number in group], [checkpoints[number] for number in group]
        if len(group) == 1:
            outcomes[group[0]] = _fit_alone(kind[0], rows, saved[0], on_progress)
        else:
            outcomes |= dict(zip(group, _fit_together(kind, rows, saved, on_progress), strict=True))
    return [outcomes[number] for number in range(len(specs))]


def _fit_alone(
    spec: MemberSpec, rows: RowSource, checkpoints: Checkpoints | None, on_progress: OnProgress
) -> MemberResult | Exception:
    try:
        return fit_member(spec, rows, checkpoints, on_progress)
    except Exception as error:
        return error


def _fit_together(
    specs: Sequence[MemberSpec], rows: RowSource, checkpoints: Sequence[Checkpoints | None], on_progress: OnProgress
) -> list[MemberResult | Exception]:
    stack, errors = _Stack(), dict[int, Exception]()
    for number, (spec, saved) in enumerate(zip(specs, checkpoints, strict=True)):
        try:
            stack.add(MemberFit.prepare(spec, rows, saved, on_progress, stacked=True))
        except Exception as error:  # its saved epoch is of no use, for one
            errors[number] = error
    stack.train()
    trained = iter(stack.outcomes())
    return [errors.get(number) or next(trained) for number in range(len(specs))]


def _groups(specs: Sequence[MemberSpec], rows: RowSource, checkpoints: Sequence[Checkpoints | None]) -> list[list[int]]:
    """Returns the members, by their number in `specs`, in groups that are one program each."""
    groups: dict[object, list[int]] = {}
    for number, (spec, saved) in enumerate(zip(specs, checkpoints, strict=True)):
        kind: object = number  # unlike any other's
        if _can_be_stacked(spec, rows):
            backend = spec.recipe.backend
            epochs = saved_epochs(latest_state(saved.candidates(), backend), backend) if saved else 0
            batches, _ = training_batches(spec, rows)
            kind = (spec.architecture, spec.recipe, len(batches), batches.batch_size, epochs)
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


@dataclass(frozen=True)
class _Call:
    """A call into the backend: a stretch of the same epoch for all members."""

    epoch: int
    stretch: slice  # of the epoch's batches
    orders: np.ndarray  # (members, batches, batch size) int32, the device's rows
    begins_epoch: bool
    ends_epoch: bool


class _Stack:
    """Members of one kind that are as far as each other; the network's variables hold one of them at a time.

    The device is kept busy: while it trains a call, the results of the call before it are recorded and saved.
    """

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
        callbacks = [each for each in fit.callbacks.in_order() if each is not fit.callbacks.order]  # see `_calls`
        self.callbacks.append(keras.callbacks.CallbackList(callbacks, model=fit.compiled.network, **steps))

    def train(self) -> None:
        """Trains all members up to their last epoch, or until none is left."""
        if not self.fits:
            return
        try:
            self._train_from_start()
        except Exception as error:  # of the program
            self.errors |= dict.fromkeys(self._running(), error)
        finally:
            self._wait_for_savers()

    def _train_from_start(self) -> None:
        from digits_ray.training.stack_loop import stack_states, to_host  # JAX

        first = self.fits[0]
        self.loop, self.network = first.compiled.stack_loop, first.compiled.network
        self.metrics_at_start = self.loop.metrics_at_start(len(self.fits))
        stack = stack_states(self.states)
        self.states.clear()
        log.info("members %s are one program", ", ".join(str(fit.spec.member_id) for fit in self.fits))
        index = np.unique(np.concatenate([fit.batches.index for fit in self.fits]))  # folds differ
        self.trained = to_host(self._train(stack, self.loop.rows_at(first.rows, index)))

    def _wait_for_savers(self) -> None:
        for number, fit in enumerate(self.fits):
            try:
                fit.callbacks.close()
            except Exception as error:
                self.errors.setdefault(number, error)

    def outcomes(self) -> list[MemberResult | Exception]:
        """Returns each member's result, or the error that ended it."""
        return [self.errors.get(number) or self._outcome(number) for number in range(len(self.fits))]

    def _outcome(self, number: int) -> MemberResult | Exception:
        from digits_ray.training.stack_loop import member_of  # JAX

        self.loop.write_state(member_of(self.trained, number))
        try:
            return self.fits[number].result()
        except Exception as error:
            return error

    def _train(self, start: "State", rows: DeviceRows) -> "State":
        """Trains all members, those too that have failed: a smaller stack would be another program to compile."""
        for callbacks in self.callbacks:
            callbacks.on_train_begin()
            callbacks.on_epoch_begin(self.fits[0].first_epoch)
        stack = start
        for call, stack in self._results(start, rows):
            self._record(call, stack)
            if not self._running():
                break
        for number in self._running():
            self.callbacks[number].on_train_end()
        return stack

    def _results(self, stack: "State", rows: DeviceRows) -> Iterator[tuple[_Call, "State"]]:
        """Yields each call with the stack's state after it, when the next one has begun."""
        calls, result = self._calls(rows), None
        call = next(calls, None)
        with ThreadPoolExecutor(1) as thread:  # the call itself may take as long as the device trains
            while call:
                stack = [*stack[:-1], self.metrics_at_start] if call.begins_epoch else stack
                training = thread.submit(self.loop.compiled_call(stack, rows, call.orders))
                if result:
                    yield result
                call_before, call = call, next(calls, None)
                stack = training.result()
                result = call_before, stack
        if result:
            yield result

    def _calls(self, rows: DeviceRows) -> Iterator[_Call]:
        first = self.fits[0]
        for epoch in range(first.first_epoch, first.epochs):
            for fit in self.fits:
                fit.batches.set_epoch(epoch)
            for stretch in self.loop.stretches(first.batches):
                orders = np.stack([rows.order(fit.batches, stretch) for fit in self.fits])
                yield _Call(epoch, stretch, orders, stretch.start == 0, stretch.stop == len(first.batches))

    def _record(self, call: _Call, stack: "State") -> None:
        """Tells each member's callbacks of a call."""
        from digits_ray.training.stack_loop import beside_device, member_of, to_host  # JAX

        write = self.loop.write_state if call.ends_epoch else self.loop.write_metrics
        values = to_host(stack if call.ends_epoch else stack[-1])
        if call.ends_epoch:  # members of a stack that is killed are an epoch apart at most, and go on together
            for fit in self.fits:
                fit.callbacks.wait_for_saver()
        with beside_device():
            for number in self._running():
                write(member_of(values, number))
                self.callbacks[number].on_train_batch_end(call.stretch.stop - 1, self.network.get_metrics_result())
                if call.ends_epoch:
                    self._end_epoch(number, call.epoch)

    def _end_epoch(self, number: int, epoch: int) -> None:
        callbacks, logs = self.callbacks[number], self.network.get_metrics_result()
        try:
            callbacks.on_epoch_end(epoch, keras.tree.map_structure(float, logs))
        except Exception as error:  # nothing of one member is in another's
            self.errors[number] = error
        else:
            callbacks.on_epoch_begin(epoch + 1)

    def _running(self) -> list[int]:
        return [number for number in range(len(self.fits)) if number not in self.errors]
