"""What Ray and other libraries write to the terminal past their own settings."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Keeps from the terminal what any thread or library of this process writes there; gives it as text."""
    if sys.stderr is None:  # closed by the parent process: there is nothing to keep it from
        yield lambda: ""
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    with _unnamed_file() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def collected_log(name: str) -> Iterator[list[str]]:
    """Keeps from the terminal what a logger, or one below it, says; gives it as a list of messages.

    Args:
        name: The logger's.
    """
    logger, handler = logging.getLogger(name), _Collector()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


@contextmanager
def tolerated_warnings() -> Iterator[None]:
    """Runs the body without the user's `-W error`, which is meant for code of their own: libraries warn each other."""
    with warnings.catch_warnings():
        if any(option.startswith("error") for option in sys.warnoptions):
            warnings.simplefilter("ignore")
        yield


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _unnamed_file() -> IO[bytes]:
    """Returns a file in memory, where the system has such: the disk of temporary files may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
