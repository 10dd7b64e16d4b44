"""Starts Ray on this machine, or joins a cluster, so that nothing that lies around changes what it does."""

import errno
import logging
import os
import secrets
import shutil
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits_ray.error_cause import cause_in_text, root_cause
from digits_ray.errors import RunError, UserError
from digits_ray.machine import memory_limit, startable_threads, tight_limits, usable_cpus
from digits_ray.scheduling.ray_environment import variables_of_others
from digits_ray.scheduling.stderr import captured_stderr, collected_log, silence_messages_of_nodes

if TYPE_CHECKING:
    from ray.job_config import JobConfig

CONNECT_SECONDS = 10
NEEDED_THREADS = 240  # of a Ray that trains two members on two CPUs; with 190 it waited for ever, with 250 it did not
NEEDED_MIB = 20  # of free space, for the log files and sockets of a Ray that starts
_SETTINGS_FRAME = b"\x04"  # the type, in the fourth byte, of the frame that each side of HTTP/2 begins with (RFC 9113)
_OUT_OF_RESOURCES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of processes, memory, open files
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}


def connect(address: str | None, pretended: dict[str, int]) -> None:
    """Joins the cluster at an address, or starts Ray on what this process may use of the machine.

    Args:
        address: Of a cluster; None: Ray starts here.
        pretended: num_cpus or num_gpus that the Ray started here believes to have, for tests.

    Raises:
        UserError: no cluster answers there, or Ray cannot start in this process.
        RunError: Ray does not start in time.
    """
    _refuse_stripped_docstrings()
    silence_messages_of_nodes()
    with _nothing_uploaded(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tip: In future versions of Ray", FutureWarning)  # of a setting that is ours
        if address:
            _join(address)
        else:
            _start_here(pretended)


def _refuse_stripped_docstrings() -> None:
    """Raises UserError under `python -OO`: Ray Data edits its docstrings as it is imported (2.60)."""
    if sys.flags.optimize > 1:
        raise UserError(
            "Python runs without docstrings, and Ray Data cannot be imported so. Leave -OO, or PYTHONOPTIMIZE=2,"
            " out; -O and PYTHONOPTIMIZE=1 do."
        )


def _start_here(pretended: dict[str, int]) -> None:
    import ray

    _refuse_too_few_threads()
    os.environ.pop("PYTHONWARNINGS", None)  # "error" would end Ray's own processes
    resources = _usable_resources() | pretended
    with collected_log("ray._private") as lines:  # where Ray says why, in many lines
        try:
            ray.init(
                address="local", include_dashboard=False, _skip_env_hook=True, **resources, **_QUIET,
                job_config=_job_config(),
            )  # fmt: skip
        except Exception as error:  # Ray raises bare exceptions, too
            raise _not_started(error, "\n".join(lines)) from None


def _refuse_too_few_threads() -> None:
    """Raises UserError where the system would refuse Ray its threads: its libraries then abort, or wait for ever."""
    threads = startable_threads(NEEDED_THREADS)
    if threads < NEEDED_THREADS:
        cure = tight_limits() or " Raise this user's or this container's limit of processes and threads."
        raise UserError(
            f"Ray cannot start here: it needs {NEEDED_THREADS} threads at least, and the system lets this process start"
            f" {threads}.{cure}"
        )


def _not_started(error: Exception, log: str) -> UserError | RunError:
    """Returns what to tell the user of a Ray that did not start here."""
    if _free_mib() < NEEDED_MIB:  # Ray itself says that it took too long
        folder = _session_folder().parent
        return UserError(f"Ray cannot start here: {folder} has {_free_mib()} MiB free. {_folder_cure(error)}")
    if isinstance(error, TimeoutError):
        return RunError(f"Ray did not start in time ({_on_one_line(error)}). Run the same command again.")
    if isinstance(error, UnicodeEncodeError):  # of the path of its temporary folder
        reason = f"the name {error.object!r} has other letters than those of ASCII"
        return UserError(f"Ray cannot start here ({reason}). {_folder_cure(error)}")
    if isinstance(error, OSError) and error.errno not in _OUT_OF_RESOURCES:
        return UserError(f"Ray cannot start here ({_on_one_line(error)}). {_folder_cure(error)}")
    reason = str(cause_in_text(log) or root_cause(error)).rstrip(".")
    variables = variables_of_others()
    unset = f" Try it without the variables of Ray that are set: {', '.join(variables)}." if variables else ""
    return RunError(f"Ray did not start here ({reason}). Its log files are in {_log_folder()}.{tight_limits()}{unset}")


def _session_folder() -> Path:
    """Returns the folder of Ray's temporary files."""
    from ray._common.utils import get_default_ray_temp_dir

    return Path(get_default_ray_temp_dir())


def _free_mib() -> int:
    """Returns the free space of the disk below Ray's temporary files."""
    folder = _session_folder()
    try:
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free >> 20
    except OSError:
        return NEEDED_MIB  # not known


def _log_folder() -> Path:
    return _session_folder() / "session_latest" / "logs"


def _usable_resources() -> dict[str, int]:
    """Returns what Ray is to have of this machine, where Ray itself would count more."""
    from ray._common.utils import get_system_memory
    from ray._private.utils import estimate_available_memory, resolve_object_store_memory

    limit = memory_limit()
    if limit is None or limit >= get_system_memory():  # Ray knows it: that of a container, for instance
        return {"num_cpus": usable_cpus()}
    available = min(limit, estimate_available_memory())
    objects = resolve_object_store_memory(available)
    return {"num_cpus": usable_cpus(), "object_store_memory": objects, "_memory": available - objects}


def _job_config() -> "JobConfig":
    """Returns a job whose processes import the libraries of their Python, whatever files lie where the user works.

    Ray would put the working folder and the folder of the script before them (ray._private.worker.connect).
    """
    from ray.job_config import JobConfig

    job = JobConfig()
    job._py_driver_sys_path = _Unextended(_package_folder())
    return job


class _Unextended(list[str]):
    """A list that Ray cannot add folders to."""

    def extend(self, folders: Any) -> None:
        """Adds nothing."""


def _package_folder() -> list[str]:
    """Returns the folder of this package where no other process would find it: run from a checkout, for instance."""
    folder = str(Path(__file__).parents[2])
    return [] if folder in sys.path[1:] else [folder]


@contextmanager
def _nothing_uploaded() -> Iterator[None]:
    """Below `uv run`, Ray would upload the working folder, with all that lies there, for `uv` to run on every node."""
    from ray._private import ray_constants

    wanted = os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV") == "1"
    before, ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV, wanted
    try:
        yield
    finally:
        ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = before


def _folder_cure(error: Exception) -> str:
    """Returns how to give Ray another temporary folder: by the variable that it has read."""
    variable = "TMPDIR" if "TMPDIR" in os.environ and "RAY_TMPDIR" not in os.environ else "RAY_TMPDIR"
    if isinstance(error, UnicodeEncodeError):
        return f"Set {variable} to a folder whose name has those alone, e.g. {variable}=/tmp."
    if "AF_UNIX path length" in str(error):
        return f"Set {variable} to a folder with a shorter name, e.g. {variable}=/tmp."
    return f"Set {variable} to a folder with a short name that may be written and has free space."


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _join(address: str) -> None:
    import ray

    _refuse_silent(address)
    with captured_stderr() as stderr_text:  # Ray's own threads write there, once a second while they try
        try:
            ray.init(address=address, job_config=_job_config(), **_QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            if "InvalidAuthToken" in stderr_text():
                cure = "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's."
                raise UserError(f"{_source(address)}: the cluster asks for another token. {cure}") from None
            # Several lines, where the versions of Ray or Python differ.
            raise UserError(f"{_source(address)}: no Ray cluster answers ({_on_one_line(error)}).") from None


def _refuse_silent(address: str) -> None:
    """Raises UserError when nothing listens at host:port; Ray itself would try again for minutes."""
    source = _source(address)
    if address.startswith(("http://", "https://")):
        raise UserError(f"{source}: a dashboard's address. To run there: digits-ray submit --address {address}.")
    if address.startswith("ray://"):
        raise UserError(
            f"{source}: Ray Client, which a run cannot use. From a node of the cluster: --address auto."
            " From elsewhere: digits-ray submit --address http://HEAD:8265."
        )
    resolved = _address_of_last_cluster() if address == "auto" else address
    host, _, port = resolved.rpartition(":")
    if not port.isdigit():
        return  # no cluster known, or a name that Ray resolves
    try:
        greeting = _greeting(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        where = "there" if resolved == address else f"at {resolved}, where the last cluster of this machine was"
        raise UserError(
            f"{source}: nothing answers {where} ({error}). Start a cluster there with `ray start --head --port={port}`,"
            f" or {_how_to_leave_out(source)} to run here."
        ) from None
    if greeting.startswith(b"HTTP/1"):
        raise UserError(
            f"{source}: a web server, as a dashboard is. To run there: digits-ray submit --address http://{address}."
        )
    if greeting[3:4] != _SETTINGS_FRAME and "RAY_USE_TLS" not in os.environ:
        raise UserError(
            f"{source}: what listens there is no Ray cluster. `ray start --head` prints the address of one."
        )


def _address_of_last_cluster() -> str:
    """Returns what "auto" stands for, as Ray resolves it; it does so too where that cluster ended long ago."""
    from ray._private.services import find_bootstrap_address

    given = os.environ.get("RAY_ADDRESS", "auto")
    return given if given != "auto" else find_bootstrap_address(None) or "auto"


def _greeting(host: str, port: int) -> bytes:
    """Returns how a server begins to answer HTTP/2, which Ray speaks; nothing where it is silent or hangs up."""
    with socket.create_connection((host, port), timeout=CONNECT_SECONDS) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS_FRAME + bytes(5))
        with suppress(OSError):
            return connection.recv(9, socket.MSG_WAITALL)
    return b""


def _source(address: str) -> str:
    """Returns what the address was given by, for messages."""
    return f"RAY_ADDRESS={address}" if os.environ.get("RAY_ADDRESS") == address else f"--address {address}"


def _how_to_leave_out(source: str) -> str:
    return "unset RAY_ADDRESS" if source.startswith("RAY_ADDRESS") else "leave --address out"


def protect() -> None:
    """Guards the run's own Ray with a token of its own.

    Ray listens on every interface and runs any code it is sent. Left alone, it makes a token too, but writes it into
    the home directory and warns about it; so it does where the caller has imported Ray before.
    """
    if "ray" in sys.modules:  # it has read its environment
        return
    mode = os.environ.setdefault("RAY_AUTH_MODE", "token")
    if mode.lower() == "token" and not os.environ.get("RAY_AUTH_TOKEN"):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
