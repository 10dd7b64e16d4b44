"""The exceptions that end a command with one line instead of a traceback, and the exit codes of `digits-ray`."""

from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What `digits-ray` exits with."""

    DONE = 0
    FAULT = 1  # of ours or of the cluster
    USER_ERROR = 2  # the user must change something
    INTERRUPTED = 130  # as shells count it: 128 + SIGINT


class UserError(Exception):
    """A bad file, flag, setting or an impossible request.

    The message is one line that names the cause and the cure. The command line prints it without a traceback and
    exits with `ExitCode.USER_ERROR`.
    """


class RunError(Exception):
    """The run could not be finished, and not by the user's doing (`ExitCode.FAULT`)."""


def nearest(name: str, valid: list[str]) -> str:
    """Returns "Did you mean 'x'?", or the list of valid names when none is near."""
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Valid: {', '.join(valid)}."
