"""The two exceptions that end a run with one line instead of a traceback."""

from difflib import get_close_matches


class UserError(Exception):
    """A bad file, flag, setting or an impossible request.

    The message is one line that names the cause and the cure. The command line prints it without a traceback and
    exits with code 2; anything else that escapes is a fault of ours or of the cluster (exit code 1).
    """


class RunError(Exception):
    """The run could not be finished, and not by the user's doing (exit code 1)."""


def nearest(name: str, valid: list[str]) -> str:
    """Returns "Did you mean 'x'?", or the list of valid names when none is near."""
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Valid: {', '.join(valid)}."
