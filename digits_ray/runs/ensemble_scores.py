"""How good the ensemble is on the rows that are held out: beside its scores, each class's recall."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from digits_ray.ensemble import Combined, Recall, Scores, accuracy_ci95, recalls
from digits_ray.runs.inputs import RunInputs


@dataclass(frozen=True)
class UnseenScores:
    """The ensemble on the rows of a given holdout whose images are no training images."""

    rows: int
    accuracy: float
    accuracy_ci95: tuple[float, float]

    @classmethod
    def of(cls, combined: Combined, inputs: RunInputs) -> "UnseenScores | None":
        """Scores them; None where no image of the holdout is trained on, or every one is."""
        trained_on = np.isin(combined.holdout_row_ids, inputs.holdout_rows_trained_on)
        rows, ids = int((~trained_on).sum()), combined.holdout_row_ids
        if rows in (0, len(ids)):
            return None
        correct = int((combined.holdout_proba.argmax(axis=1) == inputs.data.labels[ids])[~trained_on].sum())
        return cls(rows, correct / rows, accuracy_ci95(correct, rows))


@dataclass(frozen=True)
class EnsembleScores:
    """The ensemble on the rows that are held out."""

    scores: Scores
    recall: Mapping[str, Recall]  # by class
    without_training_images: UnseenScores | None

    @classmethod
    def of(cls, combined: Combined, scores: Scores, inputs: RunInputs) -> "EnsembleScores":
        """Adds what is worth knowing of the ensemble alone to its scores."""
        in_order = recalls(combined.holdout_proba, inputs.data.labels[combined.holdout_row_ids])
        by_class = dict(zip(map(str, inputs.data.classes), in_order, strict=True))
        return cls(scores, by_class, UnseenScores.of(combined, inputs) if inputs.data.holdout_rows else None)

    def to_json(self) -> dict[str, Any]:
        """Returns one object, in which the scores are as for any model."""
        values = {**asdict(self.scores), "recall": {name: asdict(recall) for name, recall in self.recall.items()}}
        unseen = self.without_training_images
        return values | {"without_training_images": asdict(unseen)} if unseen else values
