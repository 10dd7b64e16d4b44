"""How far members and searches are: what actors report to the driver, and the driver to callbacks."""

from dataclasses import dataclass
from typing import Literal

State = Literal["waiting", "starting", "training", "done", "failed"]


@dataclass(frozen=True)
class Progress:
    """How far a member's training is."""

    member_id: int
    epoch: float  # epochs done, the running one in part
    epochs: int  # in all
    loss: float | None = None  # training loss of the running epoch so far
    images_per_second: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class MemberStatus:
    """The current state of one member, as far as the driver knows."""

    member_id: int
    state: State
    attempt: int = 1
    progress: Progress | None = None
    last_failure: str = ""  # why the attempt before this one was lost


class UnsavedEpochs:
    """The epochs that could not be saved, and why the last of them could not."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.reason = ""

    def add(self, epoch: int, error: Exception) -> None:
        self.epochs.append(epoch)
        self.reason = str(error)

    def notes(self) -> tuple[str, ...]:
        """Returns one line, or none when all were saved."""
        if not self.epochs:
            return ()
        first, last = self.epochs[0], self.epochs[-1]
        which = f"epoch {first} was" if first == last else f"{len(self.epochs)} of the epochs {first} to {last} were"
        return (f"{which} not saved: {self.reason}",)


@dataclass(frozen=True)
class SearchStatus:
    """How far the search for one baseline is."""

    kind: str  # one of config.BASELINE_KINDS
    trials: int  # in all
    done: int  # those of an earlier, interrupted search and those that failed included
    running: int
    failed: int
    best_accuracy: float | None  # on the validation rows; None before the first point
    best: str  # its configuration, e.g. "metric=euclidean deskew pca=50 n_neighbors=5 weights=distance"
