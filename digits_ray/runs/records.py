"""The result.json of a member and of a baseline, as frozen records."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from digits_ray.baselines.baseline_result import ValidationScores
from digits_ray.ensemble import Scores


class JsonRecord(Mapping[str, Any]):
    """A frozen dataclass that reads as its JSON object too: `record["holdout"]["accuracy"]`."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object, in the order of the fields."""
        return asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass

    def __getitem__(self, name: str) -> Any:
        return self.to_json()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_json())

    def __len__(self) -> int:
        return len(self.to_json())


@dataclass(frozen=True)
class MemberRecord(JsonRecord):
    """What is known of a finished member."""

    epochs: int
    attempts: int
    fit_seconds: float  # of all epochs
    images_per_second: float  # of the last attempt's training
    precision: str  # "float32" or "mixed_bfloat16"
    device: str  # "cpu" or the name of the GPU
    start_epoch: int  # that the last attempt resumed from
    notes: tuple[str, ...]  # what went wrong without stopping the training
    holdout: Scores | None  # None when no rows were held out

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "MemberRecord":
        """Reads a member's result.json."""
        own = {field.name: values[field.name] for field in fields(cls)}
        return cls(**own | {"notes": tuple(values["notes"]), "holdout": _scores(values["holdout"])})


@dataclass(frozen=True)
class BaselineRecord(JsonRecord):
    """What is known of a finished baseline."""

    best: Mapping[str, Any]  # the parameters that were chosen, which differ from kind to kind
    validation: ValidationScores
    holdout: Scores | None  # None when no rows were held out
    trials: Mapping[str, int]  # how many were done, stopped and failed
    search_seconds: float  # for all baselines together
    fit_seconds: float  # of the chosen model, on all training rows

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "BaselineRecord":
        """Reads a baseline's result.json."""
        own = {field.name: values[field.name] for field in fields(cls)}
        scores = {"validation": ValidationScores(**values["validation"]), "holdout": _scores(values["holdout"])}
        return cls(**own | scores)


def _scores(values: Mapping[str, Any] | None) -> Scores | None:
    return None if values is None else Scores.from_json(values)
