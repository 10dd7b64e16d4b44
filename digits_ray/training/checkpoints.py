"""What a member saves after each epoch, and where to."""

from collections.abc import Iterator
from typing import Protocol

History = list[dict[str, float]]  # an entry for each epoch: loss, accuracy, learning_rate, seconds, …


class Checkpoints(Protocol):
    """Where the state of an unfinished member is stored."""

    def candidates(self) -> Iterator[bytes]:
        """Yields the saved states, that of the latest epoch first."""

    def save(self, epoch: int, state: bytes) -> None:
        """Stores the state after `epoch` epochs."""
