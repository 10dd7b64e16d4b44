"""Starts Ray on this machine, or joins a cluster, so that nothing that lies around changes what it does."""

import logging
import os
import secrets
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from digits_ray.errors import UserError
from digits_ray.machine import memory_limit, usable_cpus
from digits_ray.scheduling import ray_internals
from digits_ray.scheduling.start_failure import check_start, on_one_line, start_failure
from digits_ray.scheduling.stderr import captured_stderr, collected_log

CONNECT_SECONDS = 10
_SETTINGS_FRAME = b"\x04"  # the type, in the fourth byte, of the frame that each side of HTTP/2 begins with (RFC 9113)
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
    ray_internals.silence_messages_of_nodes()
    with ray_internals.nothing_uploaded(), warnings.catch_warnings():
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

    _make_folders_absolute()
    check_start()
    os.environ.pop("RAY_REDIS_ADDRESS", None)  # of a cluster whose head outlives its failures: not of this one
    os.environ.pop("RAY_RUNTIME_ENV_HOOK", None)  # it says what nodes are to be sent, and this one has it
    os.environ.pop("PYTHONWARNINGS", None)  # "error" would end Ray's own processes
    resources = _usable_resources() | pretended
    # Where Ray says why, in many lines; and that it has found no way to the internet, which it does not need.
    with collected_log("ray._private") as lines, captured_stderr():
        try:
            ray.init(
                address="local", include_dashboard=False, **resources, **_QUIET,
                job_config=ray_internals.job_with_path(_package_folder()),
            )  # fmt: skip
        except Exception as error:  # Ray raises bare exceptions, too
            raise start_failure(error, "\n".join(lines)) from None


def _make_folders_absolute() -> None:
    """Ray takes folders of temporary files as they are: relative ones, also an empty name, it finds in no process."""
    for name in ("RAY_TMPDIR", "TMPDIR"):
        folder = os.environ.get(name)
        if folder:
            os.environ[name] = str(Path(folder).absolute())
        elif folder is not None:
            del os.environ[name]


def _usable_resources() -> dict[str, int]:
    """Returns what Ray is to have of this machine, where Ray itself would count more."""
    limit = memory_limit()
    return {"num_cpus": usable_cpus()} | (ray_internals.memory_options(limit) if limit is not None else {})


def _package_folder() -> list[str]:
    """Returns the folder of this package where no other process would find it: run from a checkout, for instance."""
    folder = str(Path(__file__).parents[2])
    return [] if folder in sys.path[1:] else [folder]


def _join(address: str) -> None:
    import ray

    _refuse_silent(address)
    with captured_stderr() as stderr_text:  # Ray's own threads write there, once a second while they try
        try:
            job = ray_internals.job_with_path(_package_folder())
            ray.init(address=address, job_config=job, **_QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            if "InvalidAuthToken" in stderr_text():
                cure = "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's."
                raise UserError(f"{_source(address)}: the cluster asks for another token. {cure}") from None
            # Several lines, where the versions of Ray or Python differ.
            source, reason = _source(address), on_one_line(error)
            cure = f"Correct it, or {_how_to_leave_out(source)} to run here."
            raise UserError(f"{source}: no Ray cluster answers ({reason}). {cure}") from None


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
    given = os.environ.get("RAY_ADDRESS", "auto")
    return given if given != "auto" else ray_internals.address_of_last_cluster() or "auto"


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
    the home directory, which may be read-only or missing, and warns about it.
    """
    if "ray" not in sys.modules:  # imported by the caller, it has read its mode; that without any is a token, too
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    elif _has_token():
        return
    if os.environ.get("RAY_AUTH_MODE", "token").lower() == "token" and not os.environ.get("RAY_AUTH_TOKEN"):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _has_token() -> bool:
    """Returns whether the caller, who has imported Ray, gives it a token: then the run uses that."""
    given = bool(os.environ.get("RAY_AUTH_TOKEN_PATH"))  # Ray itself refuses a file that cannot be read
    return given or ray_internals.has_token()
