"""The files of users' own networks that this process may execute, by the hash of their content. Imports no Keras.

Only what was given for this command is here: by `members.architectures`, or `--architecture`. Nothing is read from a
run directory, whose copies are for people.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from digits_ray.config import OwnNetwork

KEY_LENGTH = 16  # characters of the hash, by which a trained model names its file


@dataclass(frozen=True)
class NetworkFile:
    """One file of the user's."""

    path: str  # as given, for messages
    source: bytes

    @cached_property
    def sha256(self) -> str:
        """The hash of its content."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return OwnNetwork(self.path, "").file_name

    @property
    def key(self) -> str:
        """The beginning of the hash."""
        return self.sha256[:KEY_LENGTH]


_registered: dict[str, NetworkFile] = {}  # by key


def register_networks(files: Iterable[NetworkFile]) -> None:
    """Makes files known to this process; they are executed when a network of theirs is built or loaded."""
    _registered.update({file.key: file for file in files})


def registered_network(key: str) -> NetworkFile | None:
    """Returns the file whose hash begins so; None where it was not given."""
    return _registered.get(key)


def registered_networks(architectures: Iterable[str] | None = None) -> tuple[NetworkFile, ...]:
    """Returns the files of some architectures, each once; of all that were given without `architectures`.

    Args:
        architectures: As `members.architectures` has them, own ones with their hash.
    """
    if architectures is None:
        return tuple(_registered.values())
    own = filter(None, map(OwnNetwork.parse, architectures))
    keys = dict.fromkeys(network.sha256[:KEY_LENGTH] for network in own)
    return tuple(_registered[key] for key in keys if key in _registered)


def write_networks(folder: Path, files: Iterable[NetworkFile]) -> None:
    """Writes files for another process of this machine, which reads them by `read_networks`."""
    folder.mkdir()
    paths = {}
    for number, file in enumerate(files):
        (folder / f"{number}.source").write_bytes(file.source)
        paths[f"{number}.source"] = file.path
    (folder / "paths.json").write_text(json.dumps(paths))


def read_networks(folder: Path) -> list[NetworkFile]:
    """Reads the files that `write_networks` wrote."""
    paths = json.loads((folder / "paths.json").read_text())
    return [NetworkFile(path, (folder / name).read_bytes()) for name, path in paths.items()]
