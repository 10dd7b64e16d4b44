"""What a command does whose output nobody can read: a full disk, or a pipe whose reader has gone."""

import errno
import os
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from digits_ray.cli.streams import StdoutError, guarded_streams
from digits_ray.cli.terminal import console

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
COMMAND = [sys.executable, "-m", "digits_ray"]


@needs_full
@pytest.mark.parametrize("words", [["presets"], ["presets", "fast"], ["--help"], ["--version"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_told_in_one_line(words: list[str]) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.stderr == "digits-ray: stdout cannot be written: No space left on device. Send it elsewhere.\n"
    assert ended.returncode == 2


@pytest.mark.parametrize("words", [["presets"], ["presets", "fast"], ["run", "--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(words: list[str]) -> None:
    command = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert command.stdout is not None and command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == ""
    assert command.wait() == 0


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["presets"], ["presets", "nothing"]], ids=" ".join)
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(
    words: list[str], unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A buffer that cannot be flushed would make it 120, as Python ends."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with FULL.open("w") as full:
        ended = subprocess.run([*COMMAND, *words], stderr=full, stdout=full)
    assert ended.returncode == 2


PRINT_AT_EXIT = """
import atexit, sys
from digits_ray.cli import main
main.cli = lambda *words, **options: atexit.register(lambda: print("bye", file=getattr(sys, sys.argv[1]))) and 3
main.main()
"""


@needs_full
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_library_prints_at_exit_changes_no_exit_code(stream: str) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run([sys.executable, "-c", PRINT_AT_EXIT, stream], stderr=full, stdout=full)
    assert ended.returncode == 3


REPORT_STREAMS = """
import os, sys
from digits_ray.cli.streams import open_closed_streams
open_closed_streams()
os.write(1, b"from a library")
print("results"), print("progress", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    file.write(f"{file.fileno() > 2} {sys.stdin.read()!r}")
"""


def test_no_file_gets_the_number_of_a_stream_that_the_parent_has_closed(tmp_path: Path) -> None:
    """What a library prints would end in it."""
    command = shlex.join([sys.executable, "-c", REPORT_STREAMS, str(tmp_path / "report")])
    subprocess.run(f"{command} <&- >&- 2>&-", shell=True, check=True)
    assert (tmp_path / "report").read_text() == "True ''"


class Broken(StringIO):
    """A stream that cannot be written."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_progress_that_cannot_be_written_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Broken())
    with guarded_streams():
        print("member 0 done", file=sys.stderr)


def test_progress_costs_a_script_nothing_whose_stderr_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as file:
        file.close()
        monkeypatch.setattr(sys, "stderr", file)
        console(stderr=True).print("member 0 done")


def test_progress_in_a_file_of_ascii_has_question_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stderr", file)
        console(stderr=True).print("member 0 done · 98.61 %")
    assert (tmp_path / "log").read_text().strip() == "member 0 done ? 98.61 %"


def test_results_that_cannot_be_written_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(StdoutError, match="No space left"), guarded_streams():
        print("98.61 %")


def test_streams_that_the_parent_has_closed_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with guarded_streams():
        assert sys.stdout is sys.stderr is None


def test_matplotlib_without_a_folder_for_its_settings_says_nothing(tmp_path: Path) -> None:
    """As where there is no home, or none that may be written."""
    script = "from digits_ray.cli.main import main\ntry: main(['presets'])\nfinally: import matplotlib.font_manager"
    environment = os.environ | {"MPLCONFIGDIR": "/proc/none", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
