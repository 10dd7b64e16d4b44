"""Signals that wait: Ray, interrupted while it ends, leaves processes behind and gives this one a code of its own."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_DEFERRED = ("SIGINT", "SIGTERM", "SIGHUP")  # by name: Windows has no SIGHUP


@contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """Runs the body to its end; then the first signal that came meanwhile is handled as it would have been.

    Handlers that the body takes away are set again at its end: Ray, as it ends, leaves SIGTERM to the system. What the
    body is given sets them at once, and defers signals again.
    """
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield lambda: None
        return
    received: list[tuple[int, FrameType | None]] = []
    numbers = [getattr(signal, name) for name in _DEFERRED if hasattr(signal, name)]
    handlers = {number: handler for number in numbers if (handler := signal.getsignal(number)) is not None}

    def defer() -> None:
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, lambda *signal_and_frame: received.append(signal_and_frame))

    defer()
    try:
        yield defer
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            _handle(*received[0])


def _handle(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)
