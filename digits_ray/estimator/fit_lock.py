"""One fit at a time: two that train on one machine would each take all of it."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digits_ray.config import ResourcesConfig
from digits_ray.scheduling import cluster_address

_lock_of_this_process = threading.Lock()  # Ray is one for all threads of a process


@contextmanager
def locked_fit(resources: ResourcesConfig) -> Iterator[None]:
    """Runs the body when no other fit of this process runs and, unless a cluster is joined, none of this user's here.

    Whoever ends, however he ends, lets the next one begin: the system drops the lock of a process that is killed.

    Args:
        resources: Of the run.
    """
    with _lock_of_this_process:
        if cluster_address(resources) or os.name != "posix":  # a cluster is divided by its own scheduler
            yield
            return
        import fcntl

        with lock_file().open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def lock_file() -> Path:
    """Returns the file that this user's fits on this machine lock."""
    return Path(tempfile.gettempdir()) / f"digits-ray-{os.getuid()}-fit.lock"
