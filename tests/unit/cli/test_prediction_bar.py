"""What a terminal shows while rows are predicted."""

import os
import pty
import sys
from collections.abc import Iterator
from io import StringIO

import pytest

from digits_ray.cli.terminal import prediction_progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Makes stderr a terminal, and gives the end that its user reads."""
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        yield reader
        monkeypatch.undo()
    os.close(reader)


def shown(terminal: int) -> bytes:
    """What the terminal has been sent so far."""
    sys.stderr.write("END")
    sys.stderr.flush()
    sent = b""
    while not sent.endswith(b"END"):
        sent += os.read(terminal, 1 << 16)
    return sent.removesuffix(b"END")


def test_a_terminal_shows_how_far_a_long_input_is(terminal: int) -> None:
    with prediction_progress(28_000) as on_rows:
        on_rows(12_000)
    assert b"12,000 of 28,000" in shown(terminal)


def test_nothing_is_drawn_where_the_first_batch_holds_all_rows(terminal: int) -> None:
    with prediction_progress(100) as on_rows:
        on_rows(100)
    assert shown(terminal) == b""


def test_a_file_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr := StringIO())
    with prediction_progress(28_000) as on_rows:
        on_rows(12_000)
    assert stderr.getvalue() == ""
