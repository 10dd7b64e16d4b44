"""Whether Ray has found a node for an actor: until then it waits, afterwards its process has to answer."""

from typing import Any

from ray._private.state import actors


def has_process(actor: Any) -> bool:
    """Returns whether Ray has started a process for an actor, which may still be busy in its constructor."""
    return bool(actors(actor._actor_id.hex()).get("Pid"))
