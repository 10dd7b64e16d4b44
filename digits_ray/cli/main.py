"""The entry point: runs the command line and turns what escapes into exit codes."""

import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import FrameType

import click

from digits_ray.cli.commands import Interrupted, cli
from digits_ray.errors import RunError, UserError

DONE, FAULT, USER_MUST_CHANGE, INTERRUPTED = 0, 1, 2, 130


def main(words: Sequence[str] | None = None) -> None:
    """Runs `digits-ray` and exits: 0 done, 1 a fault, 2 the user must change something, 130 interrupted.

    Args:
        words: The command and its flags; those that the user typed when absent.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without our dashes and dots shall not cost the run its end
            stream.reconfigure(errors="replace")
    sys.exit(_exit_code(words))


def _exit_code(words: Sequence[str] | None) -> int:
    try:
        return cli(words, prog_name="digits-ray", standalone_mode=False) or DONE
    except click.exceptions.NoArgsIsHelpError as no_command:
        no_command.show()
        return USER_MUST_CHANGE
    except click.ClickException as error:
        return _say(_usage(error), USER_MUST_CHANGE)
    except UserError as error:
        return _say(str(error), USER_MUST_CHANGE)
    except RunError as error:
        return _say(str(error), FAULT)
    except Interrupted as how_to_go_on:
        click.echo(f"\n{how_to_go_on}", err=True)
        return INTERRUPTED
    except click.Abort as ended:
        if isinstance(ended.__cause__, EOFError):  # click takes one for Ctrl-D; nothing here asks for input
            raise ended.__cause__ from None
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED


def _usage(error: click.ClickException) -> str:
    """Returns click's complaint with the help of the very command."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See `{context.command_path if context else 'digits-ray'} --help`."


def _say(message: str, code: int) -> int:
    click.echo(f"digits-ray: {message}", err=True)
    return code


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
