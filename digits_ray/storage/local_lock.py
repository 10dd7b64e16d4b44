"""One driver at a time in a run directory on a local or mounted file system."""

import os
from pathlib import Path
from typing import TextIO

from digits_ray.errors import UserError
from digits_ray.storage import layout
from digits_ray.storage.store import local_cure


class LocalLock:
    """This process's lock on a local folder; the system drops it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Locks the folder, which is made where it is missing.

        Raises:
            UserError: another process has locked it, or it may not be written.
        """
        if os.name != "posix" or self._file:
            return
        import fcntl

        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the second on some NFS
            file.close()
            message = f"{self._folder}: another digits-ray run is writing here. Wait for it, or stop it."
            raise UserError(message) from None
        except OSError:
            pass  # a file system without locks, as some mounted ones are: nothing tells whether another run is there
        self._file = file

    def release(self) -> None:
        """Lets another process lock the folder."""
        if self._file:
            self._file.close()
            self._file = None

    def _open(self) -> TextIO:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return (self._folder / layout.LOCK).open("w")
        except OSError as error:
            raise UserError(f"{self._folder}: {local_cure(error)}") from error
