"""Ctrl-C, wherever in the program it arrives."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digits_ray.cli.interrupts import how_to_continue
from digits_ray.cli.main import main
from digits_ray.config import Config
from digits_ray.runs import pipeline


def test_the_command_that_goes_on_can_be_pasted_whatever_the_directory_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["digits-ray", "run", "--train", "my data/train.csv"]
    monkeypatch.setattr(sys, "argv", words)
    command = how_to_continue(Config(out="my runs/it's $1")).splitlines()[-1]
    assert shlex.split(command) == [*words, "--out", "my runs/it's $1"]


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


def test_an_interrupt_of_an_import_is_one_in_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cython raises a SystemError from it."""

    def import_pandas(*words: Any, **options: Any) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr("digits_ray.cli.main.cli", import_pandas)
    with pytest.raises(SystemExit) as ended:
        main(["predict"])
    assert ended.value.code == 130


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


ENDINGS = {
    "while libraries are imported": ("sys.meta_path.insert(0, PressesCtrlC())", 130),
    "at exit": ("atexit.register(os.kill, os.getpid(), signal.SIGINT)", 2),
}


@pytest.mark.parametrize(("late", "code"), ENDINGS.values(), ids=list(ENDINGS))
def test_ctrl_c_before_and_after_a_command_leaves_an_exit_code_of_ours_and_no_traceback(late: str, code: int) -> None:
    """As impatient users press it while Python and Ray begin or end."""
    script = f"""if True:
        import atexit, os, signal, sys
        from digits_ray.cli import entry
        class PressesCtrlC:
            def find_spec(self, name, *given):
                if name == "click":
                    os.kill(os.getpid(), signal.SIGINT)
        sys.argv[1:] = ["no-such-command"]
        {late}
        entry.run()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, preexec_fn=interruptible)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (code == 2)


def test_an_interrupt_that_python_remembers_changes_no_exit_code() -> None:
    """It does so of code that is executed as text, such as a dataclass's, and would end by SIGINT."""
    script = """if True:
        from digits_ray.cli import entry, main
        def interrupted(*words, **options):
            try: exec("raise KeyboardInterrupt")
            except KeyboardInterrupt: return 3
        main.cli = interrupted
        entry.run()
    """
    assert subprocess.run([sys.executable, "-c", script]).returncode == 3


def test_what_a_library_leaves_behind_does_not_hold_up_the_end() -> None:
    """Such as gRPC, which waits for threads that the system has refused to it."""
    script = """if True:
        import sys, time
        from digits_ray.cli import entry
        class Waits:
            def __del__(self): time.sleep(1000)
        sys.waits, sys.argv[1:] = Waits(), ["--version"]
        entry.run()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("digits-ray")


def interruptible() -> None:
    """A shell's background job, as these tests may be, ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
