"""Ctrl-C again while Ray ends."""

import os
import signal

import pytest
import ray

from digits_ray.config.schema import ResourcesConfig
from digits_ray.scheduling import session
from digits_ray.scheduling.signals import deferred_signals


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


def test_a_handler_that_ray_takes_away_is_set_again() -> None:
    """Ray does as it ends; a SIGTERM while the report was drawn then killed the command, without a word."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with deferred_signals():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
