"""Starts Ray or joins a cluster; nothing else does."""

import atexit
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from digits_ray.config import ResourcesConfig
from digits_ray.error_cause import ErrorCause, cause_in_text
from digits_ray.errors import ExitCode, RunError, UserError
from digits_ray.scheduling import ray_internals
from digits_ray.scheduling.connect import CONNECT_SECONDS, connect, protect
from digits_ray.scheduling.node_totals import NodeTotals
from digits_ray.scheduling.ray_environment import RAY_ENVIRONMENT, check_core_settings, variables_of_others
from digits_ray.scheduling.signals import deferred_signals, imports_uninterrupted

HEAD_SECONDS = 30  # that a cluster may be without its head; after 60, Ray ends every process that waits for one
HEAD_POLL_SECONDS = 1.0
LEAVE_SECONDS = 10  # that Ray may take to leave a cluster that it has joined
SIGNAL_SECONDS = 0.01  # that a SIGTERM may end this process in, as Ray ends
STOP_SECONDS = 10  # that a body may take to end after `stop`

_process_with_ray: int | None = None  # its id, once it has used Ray; a fork of it inherits this
_one_session = threading.RLock()  # a process has one Ray: a run in another thread waits until this one has ended


@contextmanager
def ray_session(resources: ResourcesConfig, **pretended: int) -> Iterator[None]:
    """Runs the body with Ray: the caller's own session, the cluster at an address, or one started for the run.

    Args:
        resources: With or without an address; without, RAY_ADDRESS is used where it is set.
        **pretended: num_cpus or num_gpus that the Ray started here believes to have, for tests.

    Raises:
        UserError: no cluster answers at the address, or Ray cannot start in this process.
        RunError: it has gone since.
    """
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    address = cluster_address(resources)
    if not address:
        protect()
    check_core_settings()
    import ray

    if not hasattr(ray, "is_initialized"):
        raise UserError(f"{ray.__file__} is imported instead of the library Ray. Rename it.")
    with _one_session, imports_uninterrupted():
        _refuse_fork()
        if not ray.is_initialized():
            with _new_session(address, pretended), _naming([] if address else variables_of_others()):
                yield
            return
    yield


def _refuse_fork() -> None:
    """Raises UserError in a process that was forked from one that had used Ray: its threads are missing in the copy."""
    global _process_with_ray
    _process_with_ray = _process_with_ray or os.getpid()
    if _process_with_ray != os.getpid():
        raise UserError(
            "this process is a fork of one that has used Ray, whose libraries end in such a copy. Start it by"
            " multiprocessing.get_context('spawn')."
        )


@contextmanager
def _naming(variables: list[str]) -> Iterator[None]:
    """Adds to an error the variables of the user's that a Ray started here reads: of its resources, for instance."""
    try:
        yield
    except (UserError, RunError) as error:
        if not variables:
            raise
        raise type(error)(f"{error} These variables of Ray are set: {', '.join(variables)}.") from error


@contextmanager
def _new_session(address: str | None, pretended: dict[str, int]) -> Iterator[None]:
    """Runs the body with a Ray that is started or joined for it."""
    from ray.exceptions import RayError, RayTaskError

    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        try:
            connect(address, pretended)
        except SystemExit:  # what Ray makes of a SIGTERM as soon as its own handler is there
            raise KeyboardInterrupt from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray replaces it by sys.exit
        yield
    except RayTaskError:  # an error inside a task is a fault of its own
        raise
    except (RayError, OSError) as error:  # of the cluster itself: those of members and trials have been caught by then
        if isinstance(error, OSError) and not ray_internals.is_raised_by_client(error):
            raise
        raise _lost_cluster(error) from error
    finally:
        with deferred_signals() as defer_signals:
            _shut_down(address, defer_signals)


def _shut_down(address: str | None, defer_signals: Callable[[], None]) -> None:
    """Ends Ray, or leaves the cluster: with a silent head, Ray would wait for minutes, and again at exit.

    Args:
        address: Of a cluster; None: Ray was started here.
        defer_signals: Called again and again: a second before it has ended, Ray leaves SIGTERM to the system.
    """
    import ray

    leaving = threading.Thread(target=ray.shutdown if address else _end_here, name="leaving", daemon=True)
    leaving.start()
    deadline = time.monotonic() + LEAVE_SECONDS if address else math.inf
    while leaving.is_alive() and time.monotonic() < deadline:
        leaving.join(SIGNAL_SECONDS)
        defer_signals()
    if leaving.is_alive():
        atexit.register(_exit_at_once)


def _end_here() -> None:
    """Ends the Ray that was started here, also where its temporary files can no longer be deleted."""
    import ray

    try:
        ray.shutdown()
    except OSError:  # raised before Ray ends its processes, and again at exit
        ray_internals.end_processes_here()
        ray.shutdown()


def _exit_at_once() -> None:
    """Ends this process without what Ray has registered for its exit."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or none at all
            stream.flush()
    os._exit(ExitCode.FAULT)


def _lost_cluster(error: Exception) -> RunError:
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    reason = cause_in_text(str(error)) or ErrorCause(type(error).__name__, first_line)
    return RunError(
        f"the Ray cluster does not answer any more ({reason}). Finished members and trials are"
        " kept; the same command goes on from the last saved epochs, there or on another cluster."
    )


def cluster_address(resources: ResourcesConfig) -> str | None:
    """Returns the address of the cluster to join; None where Ray starts here."""
    address = resources.address or os.environ.get("RAY_ADDRESS")  # Ray sets it for every job that it runs
    return None if address == "local" else address


def live_nodes() -> list[NodeTotals]:
    """Returns what each live node has in all, busy or not; one that is being drained takes nothing new.

    Raises:
        RunError: the cluster's head has been gone for half a minute.
    """
    return list(live_nodes_by_id().values())


def live_nodes_by_id() -> dict[str, NodeTotals]:
    """Returns `live_nodes`, each by its id in hex."""
    import ray

    _wait_for(ray.get_runtime_context().gcs_address)
    leaving = ray_internals.draining_nodes()
    return {
        node["NodeID"]: NodeTotals(
            name=node["NodeManagerHostname"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            memory_gib=node["Resources"].get("memory", 0.0) / 2**30 or None,
        )
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving
    }


def run_while_head_lives(body: Callable[[], object], stop: Callable[[], None]) -> None:
    """Runs, in a thread of its own, a body that may wait for the head where nothing can wake it, such as Tune's.

    Args:
        body: What to run.
        stop: Makes the body end, when the caller is interrupted.

    Raises:
        RunError: the cluster's head has been gone for half a minute; the body may then be waiting for it still.
    """
    import ray

    head, ended = ray.get_runtime_context().gcs_address, Future[object]()

    def run() -> None:
        try:
            ended.set_result(body())
        except BaseException as error:  # raised again in the caller, below
            ended.set_exception(error)

    threading.Thread(target=run, name="body", daemon=True).start()
    try:
        while not wait([ended], HEAD_POLL_SECONDS).done:
            _wait_for(head)
    except KeyboardInterrupt:
        stop()
        wait([ended], STOP_SECONDS)
        raise
    ended.result()


def _wait_for(head: str) -> None:
    """Waits for a head that may just be starting again; Ray's own client would, in the end, kill this process."""
    host, _, port = head.rpartition(":")
    deadline = time.monotonic() + HEAD_SECONDS
    while True:
        try:
            return socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise _lost_cluster(error) from None
            time.sleep(1)


def in_job() -> bool:
    """Returns whether Ray Jobs started this process, on a cluster."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def log_folder() -> Path:
    """Returns the folder of this node whose files the dashboard of the job's cluster serves."""
    import ray

    with ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR) as context:
        return Path(context.address_info["session_dir"], "logs")
