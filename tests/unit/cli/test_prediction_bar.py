"""What a terminal shows while rows are predicted."""

import os
import pty
import sys
from io import StringIO

import pytest

from digits_ray.cli.terminal import prediction_progress


def shown(rows: int, done: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What a terminal is sent while so many of the rows are done."""
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal, os.fdopen(reader, "rb", buffering=0) as screen:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stderr", terminal)
        with prediction_progress(rows) as on_rows:
            on_rows(done)
        terminal.write("END")
        terminal.flush()
        sent = b""
        while not sent.endswith(b"END"):
            sent += screen.read(1 << 16)
        return sent.removesuffix(b"END")


def test_a_terminal_shows_how_far_a_long_input_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"12,000 of 28,000" in shown(28_000, 12_000, monkeypatch)


def test_nothing_is_drawn_where_the_first_batch_holds_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(100, 100, monkeypatch) == b""


def test_a_file_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr := StringIO())
    with prediction_progress(28_000) as on_rows:
        on_rows(12_000)
    assert stderr.getvalue() == ""
