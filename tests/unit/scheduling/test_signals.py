"""Ctrl-C again while Ray ends."""

import ctypes
import importlib
import os
import signal
import sys
from pathlib import Path

import pytest
import ray
from waiting import eventually

from digits_ray.config.schema import ResourcesConfig
from digits_ray.scheduling import session, signals
from digits_ray.scheduling.signals import deferred_signals, imports_uninterrupted


def test_ray_ends_undisturbed_and_the_interrupt_counts_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    def shutdown() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        ended.append(True)

    monkeypatch.setattr(session, "connect", lambda *given: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", shutdown)
    with pytest.raises(KeyboardInterrupt), session.ray_session(ResourcesConfig()):
        pass
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def slow_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that interrupts this process while it is imported, and goes on."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_module.py").write_text(
        "import os, signal, time\n"
        "for _ in range(int(os.environ['INTERRUPTS'])):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.1)\n"
        "complete = True\n"
    )
    return "slow_module"


def test_an_import_is_completed_before_the_interrupt_counts(slow_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while Ray Data was imported once left Python's import lock behind, and `ray.shutdown` waited for ever."""
    monkeypatch.setenv("INTERRUPTS", "1")
    with pytest.raises(KeyboardInterrupt), imports_uninterrupted():
        assert importlib.import_module(slow_module).complete
        eventually(lambda: False)
    assert sys.modules.pop(slow_module).complete
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_waits_for_the_next_import_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one may have begun when the signal is sent again."""
    handled: list[int] = []
    imports = iter([1, 0, 1, 0, 0])  # as the handler sees them, and the thread, in turn
    handler = signals._AfterImports(lambda number, frame: handled.append(len(list(imports))), begun=0)
    monkeypatch.setattr(signals, "_imports_under_way", lambda frame: next(imports))
    monkeypatch.setattr(os, "kill", lambda process, number: handler(number, None))
    handler(signal.SIGINT, None)
    assert eventually(lambda: bool(handled))
    assert handled == [0]


def test_a_second_interrupt_does_not_wait_for_an_import(slow_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERRUPTS", "2")
    with pytest.raises(KeyboardInterrupt), imports_uninterrupted(), imports_uninterrupted():
        importlib.import_module(slow_module)
    assert slow_module not in sys.modules


def test_a_script_that_is_itself_imported_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imported_script.py").write_text(
        "import os, signal\n"
        "from digits_ray.scheduling.signals import imports_uninterrupted\n"
        "with imports_uninterrupted():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    raise AssertionError('it was not interrupted')\n"
    )
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("imported_script")


def test_a_handler_that_ray_takes_away_is_set_again() -> None:
    """Ray does as it ends; a SIGTERM while the report was drawn then killed the command, without a word."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with deferred_signals():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def is_handled(number: int) -> bool:
    """Whether this process, and not the system, handles a signal."""
    (caught,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_signal_that_ray_leaves_to_the_system_is_taken_back_while_ray_still_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A SIGTERM in the second after that killed the command, without a word."""
    handled = []

    def shutdown() -> None:
        ctypes.CDLL(None).signal(signal.SIGTERM, None)  # as Ray's C++ does, past Python
        handled.append(eventually(lambda: is_handled(signal.SIGTERM)))

    monkeypatch.setattr(session, "connect", lambda *given: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", shutdown)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with session.ray_session(ResourcesConfig()):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handled == [True]


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
