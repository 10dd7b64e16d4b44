"""Ctrl-C, wherever in the program it arrives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digits_ray.cli.main import main
from digits_ray.runs import pipeline


class PressesCtrlC:
    """Interrupts the definition of a class, as an import may be interrupted."""

    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_that_python_hides_in_another_error_is_still_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any) -> None:
        type("Imported", (), {"attribute": PressesCtrlC()})

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--out", str(tmp_path)])
    assert ended.value.code == 130
    assert "go on from their last saved epoch" in capsys.readouterr().err


@pytest.fixture
def handlers() -> Iterator[None]:
    """Those of the tests themselves come back."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_is_an_interrupt_as_a_kill_is(
    stop: signal.Signals, handlers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "run", lambda *_: os.kill(os.getpid(), stop))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--out", str(tmp_path)])
    assert ended.value.code == 130


def test_a_closed_terminal_ends_no_command_that_was_started_by_nohup(
    handlers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        raise RuntimeError("it went on")

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(RuntimeError, match="it went on"):
        main(["run", "--out", str(tmp_path)])


def test_a_file_that_ends_too_soon_is_no_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any) -> None:
        raise EOFError("No data left in file")

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(EOFError, match="No data left"):
        main(["run", "--out", str(tmp_path)])


def test_any_other_error_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(RuntimeError, match="a defect"):
        main(["run", "--out", str(tmp_path)])


def test_a_second_ctrl_c_at_exit_leaves_the_exit_code_and_no_traceback() -> None:
    """As impatient users press it while Python and Ray end."""
    script = """if True:
        import atexit, os, signal
        from digits_ray.cli.main import main
        atexit.register(os.kill, os.getpid(), signal.SIGINT)
        main(["no-such-command"])
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, preexec_fn=interruptible)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def interruptible() -> None:
    """A shell's background job, as these tests may be, ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
