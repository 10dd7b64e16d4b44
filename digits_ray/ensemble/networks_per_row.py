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
