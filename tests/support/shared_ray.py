"""One Ray at a time in this process, shared by all tests that do not break it: starting one takes seconds."""

from contextlib import ExitStack

from digits_ray.config import ResourcesConfig

_running = ExitStack()
_size: dict[str, int] = {}  # of the Ray that runs; empty without one


def start(**size: int) -> None:
    """Starts a Ray of this size (num_cpus, num_gpus), unless it runs already."""
    from digits_ray.scheduling import ray_session

    if size != _size:
        stop()
        _running.enter_context(ray_session(ResourcesConfig(), **size))
        _size.update(size)


def stop() -> None:
    """Ends it, where a test needs a cluster of its own."""
    _size.clear()
    _running.close()
