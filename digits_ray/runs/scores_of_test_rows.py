"""Scores on labelled test rows: once, when nothing is left to train or choose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from digits_ray.ensemble import Combined, Prediction, Scores, score
from digits_ray.runs.state import RunState


@dataclass(frozen=True)
class ScoresOfTestRows:
    """How good the ensemble and its networks are on the labelled test rows."""

    ensemble: Scores  # of the networks that wrote the submission
    members: Mapping[int, Scores]  # of the first networks, by the member's id
    refits: Mapping[int, Scores]  # alike
    rows_not_scored: int  # without a label, or with that of no class
    labels_sha256: str

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object, without the members: each has its scores in its own entry."""
        return asdict(self.ensemble) | {"rows_not_scored": self.rows_not_scored, "labels_sha256": self.labels_sha256}


def score_test_rows(state: RunState, combined: Combined) -> ScoresOfTestRows | None:
    """Scores the labelled test rows; None where the run has none.

    Args:
        state: Of the run, with all of its members.
        combined: The ensemble that writes the submission.
    """
    data, directory = state.inputs.data, state.directory
    labels, sha256 = data.test_labels, data.test_labels_sha256
    if labels is None or sha256 is None:
        return None
    known = labels >= 0

    def scores(prediction: Prediction | Combined) -> Scores:
        ids = prediction.test_row_ids
        return score(prediction.test_proba[known[ids]], labels[ids][known[ids]])

    return ScoresOfTestRows(
        ensemble=scores(combined),
        members={number: scores(directory.members.prediction(number)) for number in sorted(state.records)},
        refits={number: scores(directory.refits.prediction(number)) for number in state.refitted},
        rows_not_scored=int((~known).sum()),
        labels_sha256=sha256,
    )
