"""Starts the server, and keeps it up until it is interrupted."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from digits_ray.config import ResourcesConfig
from digits_ray.error_cause import cause_in_text
from digits_ray.errors import RunError, UserError
from digits_ray.runs import load_run
from digits_ray.scheduling import cluster_address, live_nodes, ray_session
from digits_ray.scheduling.ray_internals import serve_address
from digits_ray.serving.resources import model_resources
from digits_ray.serving.settings import REQUEST_SECONDS, ServeSettings, check_port, check_settings
from digits_ray.storage import Store

APPLICATION = "digits-ray"


@dataclass(frozen=True)
class Serving:
    """A server that is up."""

    url: str  # of the page
    metrics_url: str  # where Prometheus reads
    members: int


def serve_run(settings: ServeSettings, on_ready: Callable[[Serving], None]) -> None:
    """Serves a run's ensemble until the process is interrupted; on a cluster it stays up after that.

    Args:
        settings: The server's.
        on_ready: Called once, when the ensemble is loaded and compiled.

    Raises:
        UserError: a setting that cannot work, no such run, or Ray Serve runs there with another host or port.
        RunError: the ensemble could not be loaded in Ray's processes.
    """
    check_settings(settings)
    run = load_run(settings.run_dir, settings.architectures)
    settings = replace(settings, run_dir=Store.at(settings.run_dir).uri)
    resources = ResourcesConfig(address=settings.address)
    starts_ray = cluster_address(resources) is None
    if starts_ray:
        check_port(settings)
        _listen_on_loopback()
    with ray_session(resources):
        _deploy(settings)
        on_ready(Serving(settings.url, _metrics_url(), len(run.member_ids)))
        if starts_ray:
            threading.Event().wait()


def _listen_on_loopback() -> None:
    """Makes the Ray that is started here listen on 127.0.0.1 alone, as it does by default on laptops."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _deploy(settings: ServeSettings) -> None:
    from ray import serve

    from digits_ray.serving.deployments import bind_application

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells of each step

    options = {"host": settings.host, "port": settings.port, "request_timeout_s": REQUEST_SECONDS}
    serve.start(proxy_location="HeadOnly", http_options=options, logging_config={"log_level": "WARNING"})
    _refuse_other_address(settings)
    application = bind_application(settings, model_resources(live_nodes(), settings.replicas))
    try:
        serve.run(application, name=APPLICATION, route_prefix="/")
    except RuntimeError as error:  # what Serve raises when a deployment does not come up
        deployments = serve.status().applications[APPLICATION].deployments.values()
        raise start_error([deployment.message for deployment in deployments], error) from None


def _refuse_other_address(settings: ServeSettings) -> None:
    """Raises UserError where Ray Serve was running on the cluster, whose host and port stay."""
    address = serve_address()
    if address is not None and address != (settings.host, settings.port):
        raise UserError(
            f"--host {settings.host} --port {settings.port}: Ray Serve listens on {address[0]}:{address[1]} of this"
            " cluster already. Use these, or `serve shutdown` there first."
        )


def _metrics_url() -> str:
    import ray

    node = next(node for node in ray.nodes() if node["Alive"])
    return f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"


def start_error(messages: Sequence[str], error: Exception) -> UserError | RunError:
    """Returns the error of a deployment that does not come up.

    Args:
        messages: What Ray Serve says of each deployment, with the traceback of a replica where it ended by one.
        error: What Ray Serve has raised, which says less.
    """
    cause = next(filter(None, map(cause_in_text, messages)), None)
    if cause and cause.error_type == UserError.__name__:
        return UserError(cause.message)
    return RunError(f"the server could not be started: {cause or _last_line(error)}")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
