"""Runs `digits-ray` as a user does, in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

LIMIT_SECONDS = 300
COMMAND = [sys.executable, "-m", "digits_ray"]
ALONE = ["--no-baselines"]  # members alone, for tests that are not about baselines


def digits_ray(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    texts = [str(word) for word in words]
    return subprocess.run([*COMMAND, *texts], cwd=cwd, capture_output=True, text=True, timeout=LIMIT_SECONDS)


def started(*words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts a command, one that Ctrl-C can reach: a shell's background job, as these tests may be, ignores it."""
    texts = [str(word) for word in words]
    return subprocess.Popen(
        [*COMMAND, *texts],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of every file, by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
