"""What a finished baseline is known by: its result.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from digits_ray.baselines.trial_specs import Params
from digits_ray.ensemble import Scores


@dataclass(frozen=True)
class ValidationScores:
    """The winner's score on the rows that it was chosen on."""

    rows: int
    accuracy: float  # 0 … 1
    nll: float  # nats per row


@dataclass(frozen=True)
class BaselineResult:
    """One baseline's winner, how it scored, and what the search for it cost."""

    spec_hash: str = ""  # of the search; empty where the file does not say
    best: Params = field(default_factory=dict)  # the winner's configuration
    validation: ValidationScores | None = None
    holdout: Scores | None = None  # None when the run holds no rows out
    trials: dict[str, int] = field(default_factory=dict)  # how many were "done", "stopped" and "failed"
    search_seconds: float = 0.0  # of the command that ended the search, for all baselines together
    fit_seconds: float = 0.0  # of the winner's fits and predictions

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "BaselineResult":
        """Reads what `to_json` gave, or an earlier release wrote."""
        present = {entry.name: values[entry.name] for entry in fields(cls) if entry.name in values}
        if present.get("validation"):
            present["validation"] = ValidationScores(**present["validation"])
        if present.get("holdout"):
            present["holdout"] = Scores.from_json(present["holdout"])
        return cls(**present)

    def to_json(self) -> dict[str, Any]:
        """Returns the content of result.json."""
        return asdict(self)
