"""A network of the user's own, as `members.architectures` names it: FILE.py:FUNCTION."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_REFERENCE = re.compile(r"(?P<path>.*\.py):(?P<function>[^\W\d]\w*)(?:@(?P<sha256>[0-9a-f]{64}))?")
_EXAMPLE = "FILE.py:FUNCTION is expected, e.g. nets.py:build"


@dataclass(frozen=True)
class OwnNetwork:
    """A function in a Python file that builds a network."""

    path: str  # of the file: a path or URI
    function: str
    sha256: str = ""  # of the file's content; "" until it was read

    @classmethod
    def parse(cls, architecture: str) -> "OwnNetwork | None":
        """Parses an entry of `members.architectures`; None where it is the name of a built-in one.

        Raises:
            ValueError: it is neither a name nor FILE.py:FUNCTION.
        """
        match = _REFERENCE.fullmatch(architecture)
        if match:
            return cls(match["path"], match["function"], match["sha256"] or "")
        if ":" in architecture or "/" in architecture or architecture.endswith(".py"):
            raise ValueError(f"{architecture!r} names no function of a Python file. {_EXAMPLE}")
        return None

    def __str__(self) -> str:
        return f"{self.path}:{self.function}{f'@{self.sha256}' if self.sha256 else ''}"

    @property
    def file_name(self) -> str:
        """The file's name, without its folder."""
        return re.split(r"[/\\]", self.path)[-1]


def architecture_of_spec(architecture: str) -> str:
    """Returns what a member's spec has of an entry of `members.architectures`: wherever a file of the user's lies."""
    network = OwnNetwork.parse(architecture)
    return str(OwnNetwork(network.file_name, network.function, network.sha256)) if network else architecture


def architecture_name(architecture: str) -> str:
    """Returns an architecture's name for people: of a file of the user's without its folder and hash."""
    network = OwnNetwork.parse(architecture)
    return f"{network.file_name}:{network.function}" if network else architecture


def own_network_words(architectures: Iterable[str]) -> list[str]:
    """Returns the words of a command that give the files of users' own networks."""
    own = filter(None, map(OwnNetwork.parse, architectures))
    return [word for network in own for word in ("--architecture", f"{network.path}:{network.function}")]


def architecture_identity(architecture: str) -> str:
    """Returns what two equal architectures have in common: of a user's file the content, whatever its name."""
    network = OwnNetwork.parse(architecture)
    return f"{network.function}@{network.sha256}" if network else architecture
