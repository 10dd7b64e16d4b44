"""Why Ray did not start on this machine, and what to do about it."""

import errno
import os
import shutil
import socket
from pathlib import Path

from digits_ray.error_cause import ErrorCause, cause_in_text, root_cause
from digits_ray.errors import RunError, UserError
from digits_ray.machine import startable_threads, tight_limits
from digits_ray.scheduling.ray_environment import variables_of_others
from digits_ray.scheduling.ray_internals import temporary_folder

NEEDED_THREADS = 240  # of a Ray that trains two members on two CPUs; with 190 it waited for ever, with 250 it did not
_OUT_OF_RESOURCES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of processes, memory, open files


def check_start() -> None:
    """Refuses at once what would make Ray wait for half a minute or longer, and fail.

    Raises:
        UserError: its processes cannot reach each other, the disk of its temporary files is full, or the system would
            refuse it its threads, at which its libraries abort or wait for ever.
    """
    if reason := _fault_of_loopback():
        raise UserError(
            f"Ray cannot start here: its processes reach each other by 127.0.0.1, which does not work ({reason})."
            " Switch the loopback interface on, e.g. by `ip link set lo up`."
        )
    if not _free_mib():
        raise _full_disk()
    if (threads := startable_threads(NEEDED_THREADS)) < NEEDED_THREADS:
        cure = tight_limits() or " Raise this user's or this container's limit of processes and threads."
        raise UserError(
            f"Ray cannot start here: it needs {NEEDED_THREADS} threads at least, and the system lets this process start"
            f" {threads}.{cure}"
        )


def start_failure(error: Exception, log: str) -> UserError | RunError:
    """Returns what to tell the user of a Ray that did not start here.

    Every cause is looked at anew: Ray itself says that it took too long, most often.

    Args:
        error: That `ray.init` has raised.
        log: What Ray has logged meanwhile.
    """
    if not _free_mib():
        return _full_disk()
    if reason := _fault_of_host_name():
        return UserError(
            f"Ray cannot start here: networks cannot use the name of this machine, {socket.gethostname()!r} ({reason})."
            " Give it one of at most 63 ASCII letters, digits and hyphens, e.g. by `hostnamectl set-hostname NAME`."
        )
    if isinstance(error, TimeoutError):
        return RunError(f"Ray did not start in time ({on_one_line(error)}). Run the same command again.")
    if isinstance(error, UnicodeEncodeError):  # of the path of its temporary folder
        reason = f"the name {error.object!r} has other letters than those of ASCII"
        return UserError(f"Ray cannot start here ({reason}). {_folder_cure(error)}")
    if isinstance(error, OSError) and error.errno not in _OUT_OF_RESOURCES:
        return UserError(f"Ray cannot start here ({on_one_line(error)}). {_folder_cure(error)}")
    reason = str(cause_in_text(log) or _cause_in_log_files() or root_cause(error)).rstrip(".")
    variables = variables_of_others()
    unset = f" Try it without the variables of Ray that are set: {', '.join(variables)}." if variables else ""
    return RunError(f"Ray did not start here ({reason}). Its log files are in {_log_folder()}.{tight_limits()}{unset}")


def on_one_line(error: Exception) -> str:
    """Returns the message of an error, for a sentence of ours."""
    return " ".join(str(error).split()).rstrip(".")


def _full_disk() -> UserError:
    return UserError(f"Ray cannot start here: {temporary_folder().parent} has less than 1 MiB free. {_folder_cure()}")


def _free_mib() -> int:
    """Returns the free space of the disk below Ray's temporary files; with 1 MiB, its log files and sockets fit."""
    folder = temporary_folder()
    try:
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free >> 20
    except OSError:
        return 1  # not known


def _fault_of_host_name() -> str:
    """Returns why no name of a network can be made of this machine's, as Ray's agents would; "" where it can."""
    try:
        socket.getfqdn()
    except UnicodeError as error:
        return str(error.__cause__ or error)
    return ""


def _fault_of_loopback() -> str:
    """Returns why a process of this machine cannot reach another; "" where it can."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5):
            return ""
    except OSError as error:
        return str(error)


def _cause_in_log_files() -> ErrorCause | None:
    """Returns what ended an agent of the node: the node ends with it, and Ray says that it took too long."""
    folder = _own_log_folder()
    for file in sorted(folder.glob("*agent.log")) if folder else []:
        if cause := cause_in_text(file.read_text(errors="replace")):
            return cause
    return None


def _own_log_folder() -> Path | None:
    """Returns the folder of the log files of the Ray that this process has started last; None where it made none."""
    sessions = sorted(temporary_folder().glob(f"session_*_{os.getpid()}"))  # their names begin with the time
    return sessions[-1] / "logs" if sessions else None


def _log_folder() -> Path:
    return _own_log_folder() or temporary_folder() / "session_latest" / "logs"


def _folder_cure(error: Exception | None = None) -> str:
    """Returns how to give Ray another temporary folder: by the variable that it has read."""
    variable = "TMPDIR" if "TMPDIR" in os.environ and "RAY_TMPDIR" not in os.environ else "RAY_TMPDIR"
    if isinstance(error, UnicodeEncodeError):
        return f"Set {variable} to a folder whose name has those alone, e.g. {variable}=/tmp."
    if "AF_UNIX path length" in str(error):
        return f"Set {variable} to a folder with a shorter name, e.g. {variable}=/tmp."
    return f"Set {variable} to a folder with a short name that may be written and has free space."
