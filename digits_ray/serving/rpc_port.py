"""Keeps the processes of Ray Serve from listening where nobody is asked for a token."""

from typing import Any


def listen_on_no_rpc_port() -> None:
    """Makes this replica open no port of its own; to be called in the constructor of a deployment.

    Every replica of Ray Serve 2.60 opens a gRPC server on all interfaces ([::]:0) that asks for no token and unpickles
    what it is sent. Handles do not use it: they call actors, which ask for the token of the cluster. Only with
    variables that `settings.REFUSED_VARIABLES` names would they.

    Raises:
        RuntimeError: Ray Serve has changed, so that its port might be open.
    """
    from ray.serve._private import replica

    if not hasattr(replica, "add_port_to_grpc_server"):
        raise RuntimeError("this version of Ray Serve opens its ports in another way. Install ray 2.60.")
    replica.add_port_to_grpc_server = _add_no_port


def _add_no_port(server: Any, address: str) -> int:
    return 0
