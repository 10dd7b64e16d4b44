"""Holds members in the middle of their training, so that a test's fault meets them there on a machine of any speed."""

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from digits_ray.config import MemberSpec
from digits_ray.ensemble import MemberResult
from digits_ray.progress import MemberStatus, Progress

HELD_AFTER = 4  # epochs
PATIENCE = 280  # seconds: a member whose test has failed goes on then
GATE = Path(os.environ.setdefault("TEST_GATE", f"{tempfile.gettempdir()}/test-gate-{os.getpid()}"))  # closed if there

HELD: dict[str, Callable[[MemberSpec], bool]] = {  # who stops at the gate, by what is written on it
    "all": lambda spec: True,
    "all but the first": lambda spec: spec.member_id > 0,
    "refits": lambda spec: spec.is_refit,
}

# What `altered` changes about a command whose members stop at the gate.
REAL_MEMBERS_STOP = {"members": "gate:prepare_real_fit", "report": False}
NUMPY_MEMBERS_STOP = {"members": "gate:prepare_numpy_fit", "report": False}

Fit = Callable[..., MemberResult]


@contextmanager
def closed_gate(held: str = "all") -> Iterator[None]:
    """Members stop after some epochs during the body, and go on afterwards."""
    close_gate(held)
    try:
        yield
    finally:
        open_gate()


def close_gate(held: str = "all") -> None:
    """From now on, members stop after some epochs."""
    GATE.write_text(held)


def open_gate() -> None:
    """Lets them go on, and later ones pass."""
    GATE.unlink(missing_ok=True)


def prepare_real_fit(resources: Any) -> Fit:
    """What an actor calls once; real networks."""
    from digits_ray.training.process import prepare_fit

    return stopping_at_gate(prepare_fit(resources))


def prepare_numpy_fit(resources: Any) -> Fit:
    """The same, in numpy."""
    from numpy_fit import prepare_fit

    return stopping_at_gate(prepare_fit(resources))


def prepare_numpy_stacks(resources: Any) -> Fit:
    """The same, for stacks too: their members train side by side."""
    stand_in: Any = ModuleType("digits_ray.training.stack")  # the real one loads Keras
    stand_in.fit_stack = fit_numpy_stack
    sys.modules[stand_in.__name__] = stand_in
    return prepare_numpy_fit(resources)


def fit_numpy_stack(specs: Any, rows: Any, checkpoints: Any, on_progress: Any) -> list[MemberResult]:
    """Returns what `fit_stack` does."""
    with ThreadPoolExecutor(len(specs)) as threads:
        fits = [
            threads.submit(prepare_numpy_fit(None), spec, rows, saved, on_progress)
            for spec, saved in zip(specs, checkpoints, strict=True)
        ]
    return [fit.result() for fit in fits]


def stopping_at_gate(fit: Fit) -> Fit:
    def fit_with_stop(spec: Any, rows: Any, checkpoints: Any, on_progress: Callable[[Progress], None]) -> MemberResult:
        def report_and_stop(progress: Progress) -> None:
            on_progress(progress)
            deadline = time.monotonic() + PATIENCE
            while progress.epoch >= HELD_AFTER and is_held(spec) and time.monotonic() < deadline:
                time.sleep(0.02)

        return fit(spec, rows, checkpoints, report_and_stop)

    return fit_with_stop


def is_held(spec: MemberSpec) -> bool:
    try:
        held = GATE.read_text()
    except FileNotFoundError:
        return False
    return not held or HELD[held](spec)  # empty for the moment in which it is written


class Fault:
    """Strikes once, when all members are in the middle of their training; remembers how far the driver knew them."""

    def __init__(self, strike: Callable[[], None]) -> None:
        self.strike = strike
        self.epochs: dict[int, int] = {}  # that were finished, by member
        self.attempts: dict[int, int] = {}  # so far, by member
        close_gate()

    def __call__(self, statuses: list[MemberStatus]) -> None:
        if not self.epochs and all(is_midway(status) for status in statuses):
            self.epochs = {one.member_id: math.ceil(one.progress.epoch) - 1 for one in statuses if one.progress}
            self.attempts = {one.member_id: one.attempt for one in statuses}
            self.strike()
            open_gate()

    def repeated_two_at_most(self, results: dict[int, MemberResult]) -> bool:
        """Whether members tried again went on from the last finished epoch, or the one before: it may be unwritten."""
        again = [number for number, result in results.items() if result.attempts > self.attempts[number]]
        return all(results[number].start_epoch >= self.epochs[number] - 1 for number in again)


def is_midway(status: MemberStatus) -> bool:
    return status.state == "training" and status.progress is not None and status.progress.epoch > HELD_AFTER - 1
