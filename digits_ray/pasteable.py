"""Commands as texts that can be pasted into a shell."""

import shlex


def pasteable(*words: object) -> str:
    """Returns a command's words in one line, those with blanks or other signs of the shell in quotes."""
    return shlex.join(map(str, words))
