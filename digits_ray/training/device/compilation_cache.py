"""What JAX has compiled for a GPU, on disk for the next process: 2 s to the end of its first call, not 21 (H100).

For GPUs alone: JAX rejects entries for CPUs with error lines (jax-ml/jax#38445). JAX's own environment variables come
first: `JAX_ENABLE_COMPILATION_CACHE=false` turns it off, `JAX_COMPILATION_CACHE_DIR` moves it.
"""

import fcntl
import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_BYTES = 2 << 30
WAIT_SECONDS = 120.0  # for another process that compiles the same program, before this one compiles it too
PRIVATE = 0o700  # whoever can write to the folder runs code in the processes that read it

log = logging.getLogger(__name__)


def use_compilation_cache(device_kind: str) -> None:
    """Lets JAX read and write a folder of this user's, for its version of jaxlib and this kind of GPU.

    A folder that cannot be written, or that others can write, costs a warning.
    """
    import jax
    import jaxlib

    if not jax.config.jax_enable_compilation_cache or jax.config.jax_compilation_cache_dir:
        return
    try:
        folder = cache_folder(jaxlib.__version__, device_kind)
        _make_private(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        log.warning("JAX's compilation cache is off: %s", error)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", MAX_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # many small programs make up seconds, too


def cache_folder(jaxlib_version: str, device_kind: str) -> Path:
    """Returns the folder below the user's cache folder, e.g. ~/.cache/digits-ray-1000/jax-0.11.2-nvidia-h100."""
    base = os.environ.get("XDG_CACHE_HOME", "")  # relative paths there are to be ignored (XDG base directories 0.8)
    caches = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    kind = re.sub(r"[^a-z0-9]+", "-", device_kind.lower()).strip("-")
    return caches / f"digits-ray-{os.getuid()}" / f"jax-{jaxlib_version}-{kind}"


def _make_private(folder: Path) -> None:
    """Creates the folder and the user's one above it, for this user alone.

    Raises:
        OSError: it cannot be created or written, or belongs to or can be written by somebody else.
    """
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.mkdir(mode=PRIVATE, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise PermissionError(f"{path} is no folder of this user")
        if stat.S_IMODE(status.st_mode) & ~PRIVATE:
            path.chmod(PRIVATE)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written")


@contextmanager
def compiled_once(program: str) -> Iterator[None]:
    """Lets one process of a node compile a program, while the others wait to read it from JAX's cache, if it has one.

    Args:
        program: Its text, as JAX hands it to XLA.
    """
    import jax

    folder = jax.config.jax_compilation_cache_dir
    if folder and jax.config.jax_enable_compilation_cache:
        with first_alone(Path(folder) / f"{hashlib.sha256(program.encode()).hexdigest()[:16]}.lock"):
            yield
    else:
        yield


@contextmanager
def first_alone(path: Path) -> Iterator[None]:
    """Lets the first process alone into a section, and all others together once it has left or ended.

    Where the file cannot be opened or locked, and after `WAIT_SECONDS`, nobody waits.
    """
    try:
        file = path.open("a")
    except OSError:
        yield
        return
    with file:  # closing it, or the end of the process, releases the lock
        if not _try_lock(file.fileno(), fcntl.LOCK_EX):
            end = time.monotonic() + WAIT_SECONDS
            while not _try_lock(file.fileno(), fcntl.LOCK_SH) and time.monotonic() < end:
                time.sleep(0.05)
        yield


def _try_lock(file: int, kind: int) -> bool:
    """Returns whether the lock was acquired; True, too, on file systems without locks."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
