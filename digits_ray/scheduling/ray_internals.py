"""What digits_ray uses of Ray that Ray does not promise to keep: a minor release may rename it.

Each function says what it is for, and does without where Ray no longer has it: then a nicety is lost, and no run. Only
`listen_on_no_rpc_port` refuses, because a port would be open. A unit test names every attribute that is used here.
"""

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.job_config import JobConfig
    from ray.job_submission import JobSubmissionClient

_CLIENT = "ray._raylet"  # the module of Ray's compiled client

# The start of Ray, and joining a cluster


def memory_options(limit: int) -> dict[str, int]:
    """Returns the arguments of `ray.init` for a limit of memory that Ray does not see; it would count the machine's.

    Args:
        limit: In bytes.
    """
    try:
        from ray._common.utils import get_system_memory
        from ray._private.utils import estimate_available_memory, resolve_object_store_memory
    except ImportError:
        return {}
    if limit >= get_system_memory():  # Ray knows it: that of a container, for instance
        return {}
    available = min(limit, estimate_available_memory())
    objects = resolve_object_store_memory(available)
    return {"object_store_memory": objects, "_memory": available - objects}  # the latter in `ray.init`'s docstring


def job_with_path(folders: list[str]) -> "JobConfig":
    """Returns a job whose processes import the libraries of their Python, whatever files lie where the user works.

    Ray would put the working folder and the folder of the script before them (ray._private.worker.connect); it does,
    where it has changed.

    Args:
        folders: That are put before the libraries.
    """
    from ray.job_config import JobConfig

    job = JobConfig()
    job._py_driver_sys_path = _Unextended(folders)
    return job


class _Unextended(list[str]):
    """A list that Ray cannot add folders to."""

    def extend(self, folders: Any) -> None:
        """Adds nothing."""


@contextmanager
def nothing_uploaded() -> Iterator[None]:
    """Below `uv run`, Ray would upload the working folder, with all that lies there, for `uv` to run on every node.

    It reads the variable when it is imported, which the caller may have done; a constant holds what it has read.
    """
    name, wanted = "RAY_ENABLE_UV_RUN_RUNTIME_ENV", os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV") == "1"
    try:
        from ray._private import ray_constants
    except ImportError:
        yield
        return
    before = getattr(ray_constants, name, wanted)
    setattr(ray_constants, name, wanted)
    try:
        yield
    finally:
        setattr(ray_constants, name, before)


def silence_messages_of_nodes() -> None:
    """Keeps from the terminal what Ray's nodes publish to every driver, such as the log of one that was cut off.

    Ray prints it on standard output, whatever `log_to_driver` says; its debugger turns it off by the same variable.
    """
    try:
        from ray._private import worker
    except ImportError:
        return
    worker._worker_logs_enabled = False


def address_of_last_cluster() -> str | None:
    """Returns the address that "auto" stands for, also where that cluster has ended; None where there was none.

    Unknown, Ray itself resolves it, and tries a cluster that has ended for minutes.
    """
    try:
        from ray._private.services import find_bootstrap_address
    except ImportError:
        return None
    return find_bootstrap_address(None)


def has_token() -> bool:
    """Returns whether Ray, imported by the caller, has a token; unknown, the run makes one of its own."""
    try:
        from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # compiled, without types
    except ImportError:
        return False
    return bool(AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True))


def asks_for_token() -> bool:
    """Returns whether the node of this process asks for a token; unknown, what its variables say."""
    try:
        from ray._private.authentication.authentication_utils import is_token_auth_enabled
    except ImportError:
        return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    return is_token_auth_enabled()


def temporary_folder() -> Path:
    """Returns the folder of Ray's temporary files, for messages and to see whether its disk is full."""
    try:
        from ray._common.utils import get_default_ray_temp_dir
    except ImportError:
        return Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray")
    return Path(get_default_ray_temp_dir())


# While a run works, and its end


def draining_nodes() -> set[str]:
    """Returns the ids, in hex, of nodes that are about to leave; unknown, members start there too, and start again."""
    try:
        from ray._private.state import state

        return set(state.get_draining_nodes())
    except (ImportError, AttributeError):
        return set()


def has_process(actor: Any) -> bool:
    """Returns whether Ray has started a process for an actor, which may still be busy in its constructor.

    Until then it waits for a node, afterwards its process has to answer. Unknown, it counts as waiting.
    """
    try:
        from ray._private.state import actors

        return bool(actors(actor._actor_id.hex()).get("Pid"))
    except (ImportError, AttributeError):
        return False


def end_processes_here() -> None:
    """Ends the processes of the Ray that was started here, which `ray.shutdown` leaves where it raises OSError."""
    try:
        from ray._private import worker
    except ImportError:
        return
    node, worker._global_node = getattr(worker, "_global_node", None), None
    if node is not None:
        node.kill_all_processes(check_alive=False, allow_graceful=True)


def is_raised_by_client(error: OSError) -> bool:
    """Returns whether Ray's client has raised an error, as it does when the node dies during a call."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") == _CLIENT


# Jobs


def client_with_deadline(address: str, seconds: float) -> "JobSubmissionClient":
    """Returns Ray's client of a dashboard; by itself, it waits for ever for an answer.

    Args:
        address: Of the dashboard.
        seconds: That each request may take.
    """
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        def _do_request(self, *given: Any, **options: Any) -> Any:
            return super()._do_request(*given, **{"timeout": seconds, **options})

    return Client(address)


def get(client: "JobSubmissionClient", path: str) -> Any:
    """Returns the response of a dashboard, for addresses of its REST interface without a public method.

    Args:
        client: Of the dashboard.
        path: Below its address.
    """
    return client._do_request("GET", path)


# Ray Serve


def serve_address() -> tuple[str, int] | None:
    """Returns the host and port that Ray Serve listens on, which stay as they first were; None where unknown."""
    try:
        from ray.serve.context import _get_global_client

        options = _get_global_client().http_config
        return options.host, options.port
    except (ImportError, AttributeError):
        return None


def listen_on_no_rpc_port() -> None:
    """Makes this replica open no port of its own; to be called in the constructor of a deployment.

    Every replica of Ray Serve 2.60 opens a gRPC server on all interfaces ([::]:0) that asks for no token and unpickles
    what it is sent. Handles do not use it: they call actors, which ask for the token of the cluster. Only with
    variables that `serving.settings.REFUSED_VARIABLES` names would they.

    Raises:
        RuntimeError: Ray Serve has changed, so that its port might be open.
    """
    from ray.serve._private import replica

    if not hasattr(replica, "add_port_to_grpc_server"):
        raise RuntimeError("this version of Ray Serve opens its ports in another way. Install ray 2.60.")
    replica.add_port_to_grpc_server = _add_no_port


def _add_no_port(server: Any, address: str) -> int:
    return 0
