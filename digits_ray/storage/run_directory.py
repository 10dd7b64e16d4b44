"""The run directory: which run it belongs to, and who may write to it. `layout` has the names of its files."""

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np

from digits_ray.config import Config, MemberSpec
from digits_ray.ensemble import MemberResult
from digits_ray.errors import RunError, UserError
from digits_ray.storage import layout
from digits_ray.storage.baseline_files import BaselineFiles
from digits_ray.storage.file_formats import (
    is_intact_archive,
    is_intact_text,
    json_bytes,
    parse_arrays,
    parse_csv,
    parse_json,
)
from digits_ray.storage.lease import Lease, Notify
from digits_ray.storage.local_lock import LocalLock
from digits_ray.storage.member_files import MemberFiles
from digits_ray.storage.recorded_settings import RecordedSettings
from digits_ray.storage.store import Store


class RunDirectory:
    """One run's files, on any storage."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.members, self.refits = MemberFiles(store), MemberFiles(store, refit=True)
        self._settings = RecordedSettings(store)
        self._lock = LocalLock(store.local_path) if store.local_path is not None else None
        self._lease: Lease | None = None  # on storage that has no locks

    @classmethod
    def at(cls, out: str, config: Config, data: Mapping[str, Any]) -> "RunDirectory":
        """Opens the directory of this very run, or the folder where it will be; writes nothing.

        Args:
            out: A path or URI.
            config: The run's resolved configuration.
            data: Fingerprints of what goes in, plain JSON values.

        Raises:
            UserError: the directory holds a run of other settings or data (what differs is named), or other files.
        """
        run = cls(Store.at(out))
        if run._settings.exist():
            run._settings.refuse_others(config, data)
        else:
            run._refuse_foreign_files()
        return run

    @classmethod
    def existing(cls, path: str) -> "RunDirectory":
        """Opens a directory that holds a run.

        Raises:
            UserError: it holds none.
        """
        if not path:  # of a shell's variable that was never set; as a path it is the working folder
            raise UserError("no run directory: its name is empty. Give the --out of a run.")
        run = cls(Store.at(path))
        if not run._settings.exist():
            raise UserError(f"{path}: not a run directory (no config.yaml). Give the --out of a run.")
        return run

    def claim(self, config: Config, data: Mapping[str, Any], notify: Notify = lambda line: None) -> None:
        """Makes the directory this run's own: no other process may write to it until `close`.

        Args:
            config: The run's resolved configuration.
            data: Fingerprints of what goes in.
            notify: Called with one line when the lease of a killed run on remote storage has to run out first.

        Raises:
            UserError: another process is writing there, or was until now and has begun another run; or it may not be
                written.
        """
        if self._lock:
            self._lock.acquire()
        elif not self._lease:
            lease = Lease(self.store)
            lease.acquire(notify)
            self._lease = lease
        if self._settings.exist():
            self._settings.refuse_others(config, data)
        self._settings.write(config, data)

    def close(self) -> None:
        """Lets another process continue this run."""
        if self._lock:
            self._lock.release()
        if self._lease:
            self._lease.release()
            self._lease = None

    def config(self) -> Config:
        """Returns the configuration that the run was made with.

        Raises:
            UserError: config.yaml is damaged.
        """
        return self._settings.config()

    def data(self) -> dict[str, Any]:
        """Returns the fingerprints of what went in.

        Raises:
            UserError: data.json is missing or damaged.
        """
        return self._settings.data()

    def data_or_none(self) -> dict[str, Any] | None:
        """Returns what `data` does, or None when data.json is missing or damaged."""
        return self._settings.data_or_none()

    def baseline(self, kind: str) -> BaselineFiles:
        """Returns the files of a baseline, e.g. "knn"."""
        return BaselineFiles(self.store, kind)

    def write_member(
        self, spec: MemberSpec, result: MemberResult, holdout: Mapping[str, Any] | None, event_file: bytes = b""
    ) -> dict[str, Any]:
        """Writes the files of a finished member, or of its refit, result.json last, and deletes its saved epochs.

        Args:
            spec: Of the member, or of its refit.
            result: Of its training.
            holdout: Its scores on the rows that it never saw.
            event_file: Its history as TensorBoard reads it.

        Returns:
            What result.json holds.

        Raises:
            RunError: another run has taken the directory over.
        """
        if self._lease:
            self._lease.check()
        return (self.refits if spec.is_refit else self.members).write(spec, result, holdout, event_file)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns a JSON file's content, or None when it is missing or damaged."""
        data = self.store.read_or_none(name)
        return parse_json(data) if data is not None else None

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes a JSON file that people can read."""
        self.store.write(name, json_bytes(values))

    def read_csv(self, name: str) -> list[dict[str, str]]:
        """Returns the lines of a CSV file, by the names of its columns; none when it is missing."""
        data = self.store.read_or_none(name)
        return parse_csv(data) if data is not None else []

    def read_arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """Returns an .npz file's arrays, or None when it is missing or damaged."""
        data = self.store.read_or_none(name)
        return parse_arrays(data) if data is not None else None

    def is_intact(self, name: str) -> bool:
        """Returns whether a .json, .csv or .npz file exists and was not cut short."""
        data = self.store.read_or_none(name) or b""
        return is_intact_archive(data) if name.endswith(".npz") else is_intact_text(data)

    def write_probe(self) -> bytes:
        """Writes a random text, by which a process on another node can check that it sees this directory."""
        probe = secrets.token_hex(16).encode()
        self.store.write(layout.DRIVER_PROBE, probe)
        return probe

    def _refuse_foreign_files(self) -> None:
        path = self.store.local_path
        if path and path.exists() and not path.is_dir():
            raise UserError(f"{path}: a file, not a folder. Choose another --out.")
        if path and path.is_dir() and any(_is_foreign(file.name) for file in path.iterdir()):
            raise UserError(f"{path}: holds other files and no run. Choose an empty or new folder for --out.")


def shares_storage(store: Store, probe: bytes) -> bool:
    """Returns whether this process sees the directory in which `RunDirectory.write_probe` wrote these bytes."""
    try:
        return store.read(layout.DRIVER_PROBE) == probe
    except (OSError, UserError, RunError):  # not there, or not for this process to read
        return False


def _is_foreign(name: str) -> bool:
    begun = (layout.DATA, layout.PRESET)  # of a run that was killed before it wrote config.yaml
    return not name.startswith(".") and name not in begun
