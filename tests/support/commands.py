"""Runs `digits-ray` as a user does, in a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 300
COMMAND = [sys.executable, "-m", "digits_ray"]
ALONE = ["--no-baselines"]  # members alone, for tests that are not about baselines

# What `altered` changes about a command, for tests that are about something else.
NO_REPORT = {"report": False}
NUMPY_MEMBERS = {"members": "numpy_fit:prepare_fit", "report": False}


def digits_ray(
    *words: object, cwd: Path | None = None, altered: Mapping[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    command = command_of(words, altered)
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=LIMIT_SECONDS)


def started(*words: object, cwd: Path | None = None, altered: Mapping[str, Any] | None = None) -> subprocess.Popen[str]:
    """Starts a command, one that Ctrl-C can reach: a shell's background job, as these tests may be, ignores it."""
    return subprocess.Popen(
        command_of(words, altered),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def command_of(words: tuple[object, ...], altered: Mapping[str, Any] | None) -> list[str]:
    begin = [sys.executable, "-m", "altered", json.dumps(altered)] if altered else COMMAND
    return [*begin, *map(str, words)]


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of every file, by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
