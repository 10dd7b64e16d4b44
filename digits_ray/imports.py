"""Imports beside other work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module


@contextmanager
def importing_meanwhile(module: str) -> Iterator[None]:
    """Imports a module in a thread while the body runs, and waits for it at the end.

    An error is left to the statement that imports it: here, the module may not be needed. The body is to do what lets
    other threads run, such as reading files.
    """
    thread = threading.Thread(target=_import, args=(module,), name="import", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # this process may start no more threads
        yield
        return
    try:
        yield
    finally:
        thread.join()


def _import(module: str) -> None:
    with suppress(Exception):
        import_module(module)
