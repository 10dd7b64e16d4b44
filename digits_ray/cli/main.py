"""The entry point: runs the command line and turns what escapes into exit codes."""

import atexit
import errno
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

import click

from digits_ray.cli.commands import cli
from digits_ray.cli.interrupts import Interrupted, is_interrupt
from digits_ray.cli.streams import StdoutError, discard_unwritable, guarded_streams, open_closed_streams
from digits_ray.errors import ExitCode, RunError, UserError
from digits_ray.training.device.environment import clean_environment

_INTERRUPTS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # as Ctrl-C


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `digits-ray` and exits: 0 done, 1 a fault, 2 the user must change something, 130 interrupted.

    Args:
        arguments: The command and its flags; those that the user typed when absent.
    """
    open_closed_streams()
    atexit.register(discard_unwritable)  # the first to be registered is the last to be called
    _ignore_settings_of_other_programs()
    _interrupt_at_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that lacks our dashes and dots must not end the run
            stream.reconfigure(errors="replace")
    code = _exit_code(arguments)
    atexit.register(_exit_at_next_interrupt, code)  # the last to be registered is the first to be called
    sys.exit(code)


def _ignore_settings_of_other_programs() -> None:
    """Removes from this command's environment, and its processes', what would change or end it."""
    clean_environment(os.environ)
    os.environ.pop("MPLBACKEND", None)  # matplotlib cannot be imported where it does not know it
    warnings.filterwarnings("ignore", module="joblib")  # it warns where there is no /dev/shm, and does without
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where it has no home, and does without
    os.environ.pop("PYTHONWARNINGS", None)
    if sys.warnoptions:  # by it or by -W: "error" is meant for programs of the user's own, not for libraries
        warnings.simplefilter("ignore")


def _exit_code(arguments: Sequence[str] | None) -> int:
    """Runs the command and returns its exit code; a reader of stdout that has seen enough is no error."""
    try:
        with guarded_streams():
            return _run_command(arguments)
    except StdoutError as error:
        return ExitCode.DONE if error.reader_has_gone else _print_error(str(error), ExitCode.USER_ERROR)


def _run_command(arguments: Sequence[str] | None) -> int:
    """Runs the command, prints what its error says, and returns its exit code."""
    try:
        _refuse_deleted_folder()
        return cli(arguments, prog_name="digits-ray", standalone_mode=False) or ExitCode.DONE
    except click.exceptions.NoArgsIsHelpError as no_command:
        no_command.show()
        return ExitCode.USER_ERROR
    except click.ClickException as error:
        return _print_error(_usage_error(error), ExitCode.USER_ERROR)
    except UserError as error:
        return _print_error(str(error), ExitCode.USER_ERROR)
    except RunError as error:
        return _print_error(str(error), ExitCode.FAULT)
    except OSError as error:
        if message := _disk_error(error):
            return _print_error(message, ExitCode.USER_ERROR)
        raise
    except Interrupted as how_to_continue:
        click.echo(f"\n{how_to_continue}", err=True)
        return ExitCode.INTERRUPTED
    except click.Abort as abort:
        if isinstance(abort.__cause__, EOFError):  # click takes it for Ctrl-D; nothing here asks for input
            raise abort.__cause__ from None
        return ExitCode.INTERRUPTED
    except BaseException as error:
        if is_interrupt(error):
            return ExitCode.INTERRUPTED
        raise


def _refuse_deleted_folder() -> None:
    """Raises UserError where the working folder is gone: neither paths nor the processes of Ray have one then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the working folder has been deleted. Change to another one (cd) and run it again.") from None


def _disk_error(error: OSError) -> str:
    """Returns what to do about a disk, as a rule that of temporary files: results have their own messages.

    Empty where the error is another.
    """
    if "No usable temporary directory" in str(error):
        return "temporary files can be written nowhere. Set TMPDIR to a folder that can be written and has free space."
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return ""
    file = f"{error.filename}: " if error.filename else ""
    cure = "Choose another folder" if error.errno == errno.EROFS else "Free some space"
    return f"{file}{error.strerror}. {cure}, then run the same command again. {_temporary_folder()}"


def _temporary_folder() -> str:
    try:
        return f"Temporary files lie in {tempfile.gettempdir()}; TMPDIR names another folder."
    except OSError:  # they can be written nowhere
        return "TMPDIR names the folder of temporary files."


def _usage_error(error: click.ClickException) -> str:
    """Returns click's message with a pointer to the help of the command that it is about."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See `{context.command_path if context else 'digits-ray'} --help`."


def _print_error(message: str, code: ExitCode) -> ExitCode:
    with suppress(OSError):  # where stderr cannot be written either, the exit code alone tells
        click.echo(f"digits-ray: {message}", err=True)
    return code


def _interrupt_at_signals() -> None:
    """Has signals end the command as Ctrl-C does, unless the parent process ignores one, as `nohup` does SIGHUP."""
    for number in _INTERRUPTS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise_keyboard_interrupt)


def _exit_at_next_interrupt(code: int) -> None:
    """Has a second Ctrl-C end what Python and Ray still do at exit: with the command's own code, and no traceback."""
    for number in (signal.SIGINT, *_INTERRUPTS):
        if callable(signal.getsignal(number)):
            signal.signal(number, lambda *_: os._exit(code))


def _raise_keyboard_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
