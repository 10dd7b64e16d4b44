"""Work in several processes on this machine, without Ray, which has not started when data are read."""

import multiprocessing
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from digits_ray.errors import RunError

_IN_FLIGHT = 4  # calls for each process: none waits for work, and results do not pile up

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class Map(Protocol):
    """Calls a function on each argument, as `map` does; results come in the arguments' order."""

    def __call__(
        self, function: Callable[[_Argument], _Result], arguments: Sequence[_Argument], /
    ) -> Iterator[_Result]:
        """Yields the results."""


@contextmanager
def process_map(processes: int) -> Iterator[Map]:
    """Opens processes and yields a `map` that uses them; with 1, or without semaphores, it works in this process.

    Functions, arguments and results are pickled. The processes end with the body, also by an error.

    Raises:
        RunError: One of them ended before its work was done.
    """
    if processes == 1 or not _has_semaphores():
        yield map
        return
    # loky's, because multiprocessing's would run a user's script again in every process.
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor
    from joblib.externals.loky.backend import get_context

    ignore_interrupt = (signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; this process handles it
    pool = ProcessPoolExecutor(
        processes, context=get_context("loky"), initializer=signal.signal, initargs=ignore_interrupt
    )
    pending: deque[Any] = deque()
    try:
        with _libraries_first():
            yield lambda function, arguments: _pool_map(pool, pending, processes * _IN_FLIGHT, function, arguments)
    except BrokenProcessPool as error:
        how = re.search(r"exit codes? .*\{(.+)\}", str(error))
        ended = f" ({how[1]})" if how else ""
        raise RunError(f"a process that decodes pictures ended too early{ended}. Run the same command again.") from None
    finally:
        for future in pending:  # after an error, what has not begun need not be done
            future.cancel()
        pool.shutdown()


def _has_semaphores() -> bool:
    """Returns whether processes can wait for each other here: not without a /dev/shm that can be written."""
    try:
        multiprocessing.Lock()
    except OSError:
        return False
    return True


@contextmanager
def _libraries_first() -> Iterator[None]:
    """Processes that are started meanwhile do not look for libraries in the folder where the user works."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _pool_map(
    pool: Any,
    pending: deque[Any],
    in_flight: int,
    function: Callable[[_Argument], _Result],
    arguments: Sequence[_Argument],
) -> Iterator[_Result]:
    for argument in arguments:
        pending.append(pool.submit(function, argument))
        if len(pending) == in_flight:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
