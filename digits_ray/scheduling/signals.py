"""Signals that wait until Ray has ended, or an import.

Ray, interrupted while it ends, leaves processes behind and gives this one a code of its own. Python 3.11, interrupted
in an import, may leave its import lock behind, and the next thread that imports anything waits for ever.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

IMPORT_POLL_SECONDS = 0.02  # how often it is seen whether an import has ended

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
    handlers = _handlers()

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


@contextmanager
def imports_uninterrupted() -> Iterator[None]:
    """Has signals wait until the main thread imports nothing; a second one does not wait. It may be nested."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers, begun = _handlers(), _imports_under_way(sys._getframe())  # of the script that calls this, for one
    for number, handler in handlers.items():
        if callable(handler) and not isinstance(handler, _AfterImports):
            signal.signal(number, _AfterImports(handler, begun))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if isinstance(signal.getsignal(number), _AfterImports):
                signal.signal(number, handler)


class _AfterImports:
    """Handles a signal as another handler does, when all imports have ended but those that had begun before."""

    def __init__(self, handler: Callable[[int, FrameType | None], object], begun: int) -> None:
        self._handler, self._begun = handler, begun
        self._is_waiting = self._is_sent_again = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        is_second = self._is_waiting and not self._is_sent_again
        self._is_waiting = self._is_sent_again = False
        if is_second or _imports_under_way(frame) <= self._begun:
            self._handler(number, frame)
            return
        self._is_waiting = True
        threading.Thread(target=self._send_again, args=(number,), name="interrupt", daemon=True).start()

    def _send_again(self, number: int) -> None:
        main = threading.main_thread().ident
        while _imports_under_way(sys._current_frames().get(main or 0)) > self._begun:
            time.sleep(IMPORT_POLL_SECONDS)
        if self._is_waiting:  # no second signal has been handled meanwhile
            self._is_sent_again = True
            os.kill(os.getpid(), number)


def _imports_under_way(frame: FrameType | None) -> int:
    """Returns how many calls of Python's import system a frame is within."""
    calls = 0
    while frame is not None:
        calls += frame.f_code.co_filename == "<frozen importlib._bootstrap>"
        frame = frame.f_back
    return calls


def _handlers() -> dict[int, Any]:
    """Returns what handles each signal that can wait, by its number; none that was installed outside of Python."""
    numbers = [getattr(signal, name) for name in _DEFERRED if hasattr(signal, name)]
    return {number: handler for number in numbers if (handler := signal.getsignal(number)) is not None}


def _handle(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)
