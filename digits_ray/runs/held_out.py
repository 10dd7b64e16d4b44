"""What a finished run's held-out rows tell of new images: prediction sets, and when to leave a label blank."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits_ray.config import MemberSpec
from digits_ray.ensemble import SoftVote, conformal
from digits_ray.ensemble.abstention import Acceptance, lowest_acceptance
from digits_ray.ensemble.predictions import label_proba
from digits_ray.errors import UserError
from digits_ray.storage import RunDirectory, layout


@dataclass(frozen=True, eq=False)
class Votes:
    """What the members say of new images."""

    proba: np.ndarray  # (rows, classes) float32, rows sum to 1: the vote of all
    of_folds: np.ndarray  # (folds, rows, classes) float32: the vote of the members of each fold alone


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """The rows that some members never saw, as these members predict them."""

    proba: np.ndarray  # (rows, classes) float32, rows sum to 1
    labels: np.ndarray  # (rows,) int32 index into the classes
    folds: np.ndarray  # (rows,) int16
    by_those_that_predict: bool  # False after a refit on all rows: other networks label new images than scored these

    def check_level(self, level: float) -> None:
        """Raises UserError unless these rows can calibrate prediction sets of this level."""
        conformal.check_level(level, len(self.labels))

    def prediction_sets(self, votes: Votes, level: float) -> np.ndarray:
        """Returns which classes are in the set of each new image, (rows, classes) bool.

        Args:
            votes: On the new images.
            level: How often the true class is to be in the set, between 0 and 1.

        Raises:
            UserError: the level is none, or takes more held-out rows.
        """
        if len(votes.of_folds) == 1:
            return conformal.sets(votes.proba, conformal.calibrate(self.proba, self.labels, level))
        own = label_proba(self.proba, self.labels)
        return conformal.cross_sets(
            votes.of_folds, [own[self.folds == fold] for fold in self._scored_folds], votes.proba, level
        )

    def guarantee(self, level: float) -> str:
        """Returns how often the true class of an image is in its set, as a clause for the terminal."""
        rows, expected = f"{len(self.labels):,} held-out rows", f"{100 * level:.6g} %"
        if not self.by_those_that_predict:
            return f"approximately {expected} ({rows}, which the networks that predict were trained on since)"
        fold_rows = np.unique(self.folds, return_counts=True)[1].tolist()
        if len(fold_rows) == 1:
            return f"at least {expected} (split conformal prediction, {rows})"
        guaranteed = 100 * conformal.guaranteed_coverage(level, fold_rows)
        return f"some {expected}, {guaranteed:.4g} % guaranteed (CV+, {rows} of {len(fold_rows)} folds)"

    def lowest_acceptance(self, accuracy: float) -> Acceptance:
        """Returns the confidence from which on labels are given; see `ensemble.abstention.lowest_acceptance`."""
        return lowest_acceptance(self.proba, self.labels, accuracy)

    @property
    def confidence_is_approximate(self) -> bool:
        """Whether other networks vote on new images than voted on these rows, so that confidences differ a little."""
        return len(self._scored_folds) > 1 or not self.by_those_that_predict

    @cached_property
    def _scored_folds(self) -> np.ndarray:
        return np.unique(self.folds)


def read_held_out(directory: RunDirectory, specs: list[MemberSpec], *, by_those_that_predict: bool) -> HeldOutRows:
    """Reads how the members of a run predict the rows that they never saw.

    Args:
        directory: Of the run.
        specs: Of its finished members.
        by_those_that_predict: Whether their first networks label new images, and not refits.

    Raises:
        UserError: no rows were held out, or a file is missing or damaged.
    """
    data, dataset = directory.data(), directory.read_arrays(layout.DATASET)
    if dataset is None:
        path = directory.store.path_of(layout.DATASET)
        raise UserError(f"{path}: missing or damaged; it holds the labels. The same `digits-ray run` writes it again.")
    config = directory.config()
    same_holdout = config.split.scheme != "kfold"
    labelled = len(dataset["labels"])  # rows of a given holdout too
    vote = SoftVote(labelled, data["test_rows"], len(data["classes"]), same_holdout=same_holdout)
    for spec in specs:
        vote.add(directory.members.prediction(spec.member_id))
    combined = vote.result()
    rows = combined.holdout_row_ids
    if not len(rows):
        raise UserError(
            f"{directory.store.uri}: no rows were held out (split.scheme: {config.split.scheme}), which would tell how "
            "sure the ensemble is. Train on another --out with split.scheme holdout or kfold."
        )
    return HeldOutRows(combined.holdout_proba, dataset["labels"][rows], dataset["folds"][rows], by_those_that_predict)
