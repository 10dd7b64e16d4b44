"""What a server is started with, its limits, and what is refused before anything starts."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from digits_ray.errors import UserError

MOST_BODY_BYTES = 1 << 20
MOST_IMAGES = 256  # a request
MOST_POINTS = 4096  # of a drawing
MOST_PICTURE_PIXELS = 4 << 20  # 2,048 × 2,048; decoded, 16 bits and four channels included, 32 MiB
REQUEST_SECONDS = 60  # from the first byte of a request to its answer
RETRY_AFTER_SECONDS = 1  # that a refused client is asked to wait

_PACKAGES = ("fastapi", "uvicorn", "watchfiles", "grpc_reflection")  # that ray.serve cannot be imported without

# Each lets Ray Serve open ports, on every interface, that ask for no token.
REFUSED_VARIABLES = (
    "RAY_SERVE_ENABLE_HA_PROXY",
    "RAY_SERVE_ENABLE_DIRECT_INGRESS",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT",
    "RAY_SERVE_PROXY_USE_GRPC",
)


@dataclass(frozen=True)
class ServeSettings:
    """What a server is started with."""

    run_dir: str  # a path or URI
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)  # that requests must carry; None: none is asked for
    replicas: int = 1  # of the ensemble
    address: str | None = None  # of a running Ray cluster; None: Ray starts here
    architectures: tuple[str, ...] = ()  # as `load_run` takes them

    @property
    def is_loopback(self) -> bool:
        """Whether the host can be reached from its own machine alone."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def is_loopback(host: str) -> bool:
    """Returns whether a host's name or address stands for the machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_settings(settings: ServeSettings, environment: Mapping[str, str] = os.environ) -> None:
    """Refuses what would not work, or would open more than was asked for.

    Args:
        settings: The server's.
        environment: Of this process, which Ray's processes inherit.

    Raises:
        UserError: naming the flag or variable.
    """
    if not all(map(find_spec, _PACKAGES)):
        raise UserError("serve: Ray Serve is not installed. pip install 'digits-ray[serve]'.")
    if settings.replicas < 1:
        raise UserError(f"--replicas {settings.replicas}: at least 1.")
    if not 1 <= settings.port <= 65535:
        raise UserError(f"--port {settings.port}: ports are 1 to 65535.")
    _check_token(settings)
    for name in REFUSED_VARIABLES:
        if environment.get(name, "0").lower() not in ("", "0", "false"):
            raise UserError(f"{name} is set: Ray Serve would open ports that ask for no token. Unset it.")


def _check_token(settings: ServeSettings) -> None:
    token = settings.token
    if token is None and not settings.is_loopback:
        raise UserError(
            f"--host {settings.host}: others can reach it, so a token is needed. Set DIGITS_RAY_TOKEN or give --token."
        )
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token and len(token) >= 16):
        raise UserError(
            "--token: at least 16 characters, letters, digits and signs alone, e.g. `openssl rand -hex 32`."
        )


def check_port(settings: ServeSettings) -> None:
    """Raises UserError where the port cannot be listened on; Ray Serve would try again for long."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            reason = error.strerror or str(error)
            cure = "Choose another --port." if settings.is_loopback else "Choose another --port or --host."
            raise UserError(f"--port {settings.port}: {settings.host} cannot listen on it ({reason}). {cure}") from None
