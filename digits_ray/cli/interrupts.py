"""Ctrl-C: telling it from other errors, and telling the user how to continue."""

import sys
from typing import TYPE_CHECKING

from digits_ray.pasteable import pasteable

if TYPE_CHECKING:
    from digits_ray.config import Config


KEPT = "Finished members and trials are kept, other members go on from their last saved epoch"


class Interrupted(Exception):  # noqa: N818
    """The user stopped the command. The message says how to continue."""


def is_interrupt(error: BaseException | None) -> bool:
    """Returns whether Ctrl-C caused an error: in a class body, Python 3.11 raises another one from it."""
    return isinstance(error, KeyboardInterrupt) or (error is not None and is_interrupt(error.__cause__))


def how_to_continue(config: "Config") -> str:
    """Returns what an interrupted run leaves behind, and the command that continues it."""
    from digits_ray.scheduling import in_job

    if in_job():
        return f"Stopped. {KEPT} when the same is submitted again."
    arguments = ["digits-ray", *sys.argv[1:]]
    if not any(word == "--out" or word.startswith("--out=") for word in arguments):
        arguments += ["--out", str(config.out)]
    return f"Stopped. {KEPT}:\n  {pasteable(*arguments)}"
