"""The run directory: what lies where, what counts as finished, and which run it belongs to.

config.yaml · data.json                 what went in
members/007/  spec.json · history.csv · events.out.tfevents.history · predictions.npz · model.keras ·
              result.json (written last)
members/007/attempts/<attempt>/         saved epochs of an unfinished member
baselines/knn/                          see `baselines.records`
"""

import csv
import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml

from digits_ray.config import Config, MemberSpec, loading
from digits_ray.ensemble import MemberResult, Prediction
from digits_ray.errors import RunError, UserError
from digits_ray.storage.lease import Lease, Teller
from digits_ray.storage.store import Store, write_cure

# Settings that may differ when a run is continued: they change where and how fast, or add members, never a result.
FREE_TO_CHANGE = (
    "preset", "out", "data.train", "data.test", "resources", "tracking",
    "members.count", "members.min_members", "members.max_attempts", "baselines.enabled", "ensemble",
)  # fmt: skip

SAVE_PATIENCE_SECONDS = 5.0  # for a saved epoch: losing one costs an epoch at most, waiting for it costs a device


EVENT_FILE = "events.out.tfevents.history"  # TensorBoard takes any file whose name holds "tfevents"
PROBE = ".driver"


class RunDirectory:
    """One run's files, on any storage."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock: TextIO | None = None  # on a local or mounted file system
        self._lease: Lease | None = None  # on other storage

    @classmethod
    def at(cls, out: str, config: Config, data: Mapping[str, Any]) -> "RunDirectory":
        """Opens the directory of this very run, or the place where it will be; writes nothing.

        Args:
            out: a path or URI.
            config: the run's resolved configuration.
            data: fingerprints of what goes in, plain JSON values.

        Raises:
            UserError: the directory holds a run of other settings or data (what differs is named), or other files.
        """
        run = cls(Store.at(out))
        if run.store.has("config.yaml"):
            run._refuse_other_run(config, data)
        else:
            run._refuse_foreign_files()
        return run

    def claim(self, config: Config, data: Mapping[str, Any], tell: Teller = lambda line: None) -> None:
        """Makes the directory this run's own: no other process may write to it until `close`.

        Args:
            config: the run's resolved configuration.
            data: fingerprints of what goes in.
            tell: told in one line when a killed run's hold on remote storage has to run out first.

        Raises:
            UserError: another process is writing there, or was until now and has begun another run; or it may not be
                written.
        """
        if self.store.local_path is not None:
            self._lock_or_refuse(self.store.local_path)
        elif not self._lease:
            lease = Lease(self.store)
            lease.take(tell)
            self._lease = lease
        if self.store.has("config.yaml"):
            self._refuse_other_run(config, data)
        self.store.write("data.json", _json(data))
        self.store.write("config.yaml", loading.config_to_yaml(config).encode())

    @classmethod
    def existing(cls, place: str) -> "RunDirectory":
        """Opens a directory that holds a run.

        Raises:
            UserError: it holds none.
        """
        run = cls(Store.at(place))
        if not run.store.has("config.yaml"):
            raise UserError(f"{place}: not a run directory (no config.yaml). Give the --out of a run.")
        return run

    def close(self) -> None:
        """Lets another process continue this run."""
        if self._lock:
            self._lock.close()
            self._lock = None
        if self._lease:
            self._lease.give_back()
            self._lease = None

    def write_probe(self) -> bytes:
        """Leaves a mark by which a process, perhaps on another node, can tell that it sees this very directory."""
        mark = secrets.token_hex(16).encode()
        self.store.write(PROBE, mark)
        return mark

    def config(self) -> Config:
        """Returns the configuration that the run was made with.

        Raises:
            UserError: config.yaml is damaged.
        """
        try:
            return loading.config_from_dict(yaml.safe_load(self.store.read("config.yaml")))
        except (yaml.YAMLError, TypeError, ValueError, UserError) as error:
            cure = "Restore it from a copy, or choose another --out."
            raise self._damaged("config.yaml", cure) from error

    def data(self) -> dict[str, Any]:
        """Returns the fingerprints of what went in.

        Raises:
            UserError: data.json is missing or damaged.
        """
        data = self.read_json("data.json")
        if data is None:
            raise self._damaged("data.json", "Run the same `digits-ray run` again: it is written anew.")
        return data

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns a JSON file's content, or None when it is missing or damaged."""
        try:
            return json.loads(self.store.read(name))
        except (FileNotFoundError, ValueError):
            return None

    def read_arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """Returns an .npz file's arrays, or None when it is missing or damaged."""
        try:
            with np.load(BytesIO(self.store.read(name)), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (FileNotFoundError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def read_prediction(self, name: str) -> Prediction | None:
        """Returns a file of predictions, or None when it is missing or damaged."""
        arrays = self.read_arrays(name)
        if not arrays or "model_id" not in arrays:
            return None
        return Prediction(**{**arrays, "model_id": str(arrays["model_id"])})  # type: ignore[arg-type]

    def whole(self, name: str) -> bool:
        """Tells whether a .json, .csv or .npz file is there and not cut short."""
        data = self.store.read(name) if self.store.has(name) else b""
        return _whole_archive(data) if name.endswith(".npz") else data.endswith(b"\n")

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        self.store.write(name, _json(values))

    # Members

    def result(self, spec: MemberSpec) -> dict[str, Any] | None:
        """Returns a finished member's result.json, or None when the member (as this spec has it) is not finished."""
        result = self.read_json(f"{_folder(spec.member_id)}/result.json")
        return result if result and result.get("spec_hash") == spec_hash(spec) else None

    def write_member(
        self, spec: MemberSpec, result: MemberResult, holdout: Mapping[str, Any] | None, event_file: bytes = b""
    ) -> dict[str, Any]:
        """Writes a finished member's files, result.json last, and drops its saved epochs.

        Args:
            spec: Of the member.
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
        folder = self.store.below(_folder(spec.member_id))
        record = _result_record(spec, result, holdout)
        folder.write("spec.json", _json(asdict(spec)))
        folder.write("history.csv", _history_csv(result.history).encode())
        folder.write(EVENT_FILE, event_file)
        folder.write("predictions.npz", prediction_bytes(result.prediction))
        folder.write("model.keras", result.model_file)
        folder.write("result.json", _json(record))
        folder.delete_folder("attempts")
        return record

    def finished(self, spec: MemberSpec) -> tuple[dict[str, Any], Prediction] | None:
        """Returns a finished member's result.json and predictions, or None when it has to be trained.

        Power lost at a bad moment can leave predictions damaged below a whole result.json.
        """
        result = self.result(spec)
        prediction = self.read_prediction(_predictions(spec.member_id)) if result else None
        return (result, prediction) if result and prediction else None

    def prediction(self, member_id: int) -> Prediction:
        """Returns a finished member's predictions.

        Raises:
            UserError: they are missing or damaged.
        """
        prediction = self.read_prediction(_predictions(member_id))
        if prediction is None:
            cure = "Run the same `digits-ray run` again: it trains this member anew."
            raise self._damaged(_predictions(member_id), cure)
        return prediction

    def model_file(self, member_id: int) -> bytes:
        """Returns a finished member's .keras archive."""
        return self.store.read(f"{_folder(member_id)}/model.keras")

    def whole_model_file(self, member_id: int) -> bytes:
        """Returns a finished member's .keras archive.

        Raises:
            UserError: it is missing or damaged.
        """
        name = f"{_folder(member_id)}/model.keras"
        data = self.store.read(name) if self.store.has(name) else b""
        if not _whole_archive(data):
            cure = "Delete result.json beside it, then run the same `digits-ray run` again: it trains this member anew."
            raise self._damaged(name, cure)
        return data

    def _damaged(self, name: str, cure: str) -> UserError:
        return UserError(f"{self.store.place_of(name)}: missing or damaged. {cure}")

    # Which run this is

    def _refuse_other_run(self, config: Config, data: Mapping[str, Any]) -> None:
        before, now = loading.config_to_dict(self.config()), loading.config_to_dict(config)
        different = [*_differences(before, now), *_differences(self.read_json("data.json") or data, data, "data")]
        if different:
            raise UserError(
                f"{self.store.uri} holds another run: {'; '.join(different[:4])}."
                " Choose another --out, or give the settings and data it was made with."
            )

    def _refuse_foreign_files(self) -> None:
        path = self.store.local_path
        if path and path.exists() and not path.is_dir():
            raise UserError(f"{path}: a file, not a folder. Choose another --out.")
        if path and path.is_dir() and any(not name.name.startswith(".") for name in path.iterdir()):
            raise UserError(f"{path}: holds other files and no run. Choose an empty or new folder for --out.")

    def _lock_or_refuse(self, path: Path) -> None:
        """Takes the lock of a local directory; the system drops it when the process ends, however it ends."""
        if os.name != "posix" or self._lock:
            return
        import fcntl

        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / ".lock").open("w")
        except OSError as error:
            raise UserError(f"{path}: {write_cure(error)}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise UserError(f"{path}: another digits-ray run is writing here. Wait for it, or stop it.") from None
        self._lock = lock


def shares_storage(store: Store, mark: bytes) -> bool:
    """Tells whether this process sees the directory that `RunDirectory.mark` has marked."""
    try:
        return store.read(PROBE) == mark
    except (OSError, UserError, RunError):  # not there, or not for this process to read
        return False


@dataclass(frozen=True)
class SavedEpochs:
    """The saved epochs of one unfinished member: reads those of every attempt, writes only its own attempt's."""

    store: Store  # the run directory
    member_id: int
    attempt: str  # unique, so that a half-dead predecessor cannot overwrite its successor's

    def candidates(self) -> Iterator[bytes]:
        """Yields saved states, the latest epoch first; unreadable ones are passed over."""
        names = self.store.names(f"{_folder(self.member_id)}/attempts")
        for name in sorted(names, key=lambda name: (name.rsplit("/", 1)[1], name), reverse=True):
            data = self.store.read(name)
            if _whole_archive(data):
                yield data

    def save(self, epoch: int, state: bytes) -> None:
        """Saves the state after `epoch` epochs, then drops this attempt's state before last."""
        self.store.write(self._name(epoch), state, SAVE_PATIENCE_SECONDS)
        self.store.delete(self._name(epoch - 2), SAVE_PATIENCE_SECONDS)

    def _name(self, epoch: int) -> str:
        return f"{_folder(self.member_id)}/attempts/{self.attempt}/epoch-{epoch:06d}.npz"


def spec_hash(spec: MemberSpec) -> str:
    """Returns the hash that tells whether a finished member is the one that is wanted."""
    return hashlib.sha256(_json(asdict(spec))).hexdigest()


def prediction_bytes(prediction: Prediction) -> bytes:
    """Returns a prediction as .npz."""
    file = BytesIO()
    np.savez(file, **{**asdict(prediction), "model_id": np.array(prediction.model_id)})
    return file.getvalue()


def _folder(member_id: int) -> str:
    return f"members/{member_id:03d}"


def _predictions(member_id: int) -> str:
    return f"{_folder(member_id)}/predictions.npz"


def _result_record(spec: MemberSpec, result: MemberResult, holdout: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = ("attempts", "fit_seconds", "images_per_second", "precision", "device", "start_epoch", "notes")
    return {
        "spec_hash": spec_hash(spec),
        "epochs": len(result.history),
        **{name: getattr(result, name) for name in facts},
        "holdout": holdout,
    }


def _history_csv(history: list[dict[str, float]]) -> str:
    text = StringIO()
    table = csv.DictWriter(text, ["epoch", *history[0]], lineterminator="\n")
    table.writeheader()
    table.writerows({"epoch": epoch, **entry} for epoch, entry in enumerate(history, start=1))
    return text.getvalue()


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns "key: 2 here, 1 there" for each leaf that differs, but for those that are free to change."""
    found = []
    for key in sorted({*before, *now}):
        path = f"{prefix}.{key}" if prefix else key
        old, new = before.get(key), now.get(key)
        if path in FREE_TO_CHANGE or old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, path)
        else:
            found.append(f"{path} is {_short(old)} there, {_short(new)} here")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"


def _whole_archive(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
