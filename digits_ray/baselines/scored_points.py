"""The score of one configuration on the validation rows, and which of several is the best."""

from collections.abc import Iterable
from dataclasses import dataclass

from digits_ray.baselines.trial_specs import Params


@dataclass(frozen=True)
class ScoredPoint:
    """One configuration's score on the validation rows."""

    params: Params  # the trial's, and this point's of the swept axes
    accuracy: float  # 0 … 1
    nll: float  # nats per row
    seconds: float  # since the trial began

    @property
    def rank(self) -> tuple[float, float]:
        """The sort key that puts the best first: the most accurate, of equals the lower NLL."""
        return -self.accuracy, self.nll


def best_point(points: Iterable[ScoredPoint]) -> ScoredPoint | None:
    """Returns the best point, of equals the first; None when there is none."""
    return min(points, key=lambda point: point.rank, default=None)
