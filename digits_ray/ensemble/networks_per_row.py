"""How many of an ensemble's networks score a held-out row: under k folds, only those that never saw it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworksPerRow:
    """How many networks scored each held-out row, fewer than vote on new images."""

    fewest: int
    most: int

    @classmethod
    def of(cls, folds: Iterable[int]) -> "NetworksPerRow | None":
        """Counts them; None where every network scored the same rows, so that the ensemble did.

        Args:
            folds: Of each trained network, the fold that it was not trained on.
        """
        counts = Counter(folds).values()
        return cls(min(counts), max(counts)) if len(counts) > 1 else None

    def __str__(self) -> str:
        """Returns whose the scores are: "2 networks a row, not the ensemble"."""
        count = f"{self.most}" if self.fewest == self.most else f"{self.fewest} to {self.most}"
        return f"{count} {'network' if count == '1' else 'networks'} a row, not the ensemble"


def one_network_scores(folds: Iterable[int], *, baselines_vote: bool) -> bool:
    """Returns whether each row is scored by one of several networks by itself, with which it cannot be compared.

    Args:
        folds: Of each trained network, the fold that it was not trained on.
        baselines_vote: Whether classical models have a weight in the vote.
    """
    networks = NetworksPerRow.of(folds)
    return networks is not None and networks.most == 1 and not baselines_vote
