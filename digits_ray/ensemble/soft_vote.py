"""Soft voting: the mean of models' probabilities, added up model by model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from digits_ray.ensemble.metrics import check_probabilities
from digits_ray.ensemble.predictions import Prediction

Label = TypeVar("Label")


@dataclass(frozen=True)
class Combined:
    """The ensemble's probabilities, and how far its models disagree with it.

    Disagreement is the part of the models that scored a row whose own top class is not the ensemble's, 0 … 1.
    """

    model_ids: tuple[str, ...]  # in the order they were added
    holdout_row_ids: np.ndarray  # (holdout_rows,) int64, ascending; rows that at least one model scored
    holdout_proba: np.ndarray  # (holdout_rows, classes) float32, rows sum to 1
    holdout_disagreement: np.ndarray  # (holdout_rows,) float32
    test_row_ids: np.ndarray  # (test_rows,) int64, ascending
    test_proba: np.ndarray  # (test_rows, classes) float32, rows sum to 1
    test_disagreement: np.ndarray  # (test_rows,) float32


class SoftVote:
    """The mean of models' probabilities, row by row, as a running sum: no model's arrays stay in memory.

    Rows are matched by their ids, so each prediction may have its own row order.
    """

    def __init__(self, labelled_rows: int, test_rows: int, num_classes: int, *, same_holdout: bool) -> None:
        """Starts an empty vote.

        Args:
            labelled_rows: rows of the labelled file; holdout row ids are positions in it.
            test_rows: rows of the test file; every model scores all of them.
            num_classes: columns of every probability array.
            same_holdout: True when every model scores the same holdout rows; False for k folds, where each
                scores its own.
        """
        self._holdout = _Tally(labelled_rows, num_classes)
        self._test = _Tally(test_rows, num_classes)
        self._same_holdout = same_holdout
        self._model_ids: dict[str, None] = {}  # in the order they were added

    def add(self, prediction: Prediction, weight: float = 1.0, holdout_weight: np.ndarray | None = None) -> None:
        """Adds one model's votes. A prediction that is refused leaves the vote as it was.

        Args:
            prediction: Of the model.
            weight: Of its votes.
            holdout_weight: (holdout_rows,) of its votes on each holdout row instead, 0 or more.

        Raises:
            ValueError: naming the model, when it was counted before, its row ids are not the expected ones,
                its probabilities are none, or the weight is not a positive number.
        """
        model = f"model {prediction.model_id}"
        self._check_model(prediction.model_id, weight)
        self._holdout.check(prediction.holdout_row_ids, prediction.holdout_proba, f"{model}, holdout")
        self._test.check(prediction.test_row_ids, prediction.test_proba, f"{model}, test")
        self._check_coverage(prediction, model)
        on_holdout = weight if holdout_weight is None else holdout_weight
        self._holdout.add(prediction.holdout_row_ids, prediction.holdout_proba, on_holdout)
        self._test.add(prediction.test_row_ids, prediction.test_proba, weight)
        self._model_ids[prediction.model_id] = None

    def result(self) -> Combined:
        """Combines the models added so far; more may be added afterwards.

        Raises:
            ValueError: no model was added.
        """
        if not self._model_ids:
            raise ValueError("no model was added, so there is nothing to combine. Call add() first")
        return Combined(tuple(self._model_ids), *self._holdout.combined(), *self._test.combined())

    def models_per_row(self) -> np.ndarray:
        """Returns how many models scored each labelled row, (labelled_rows,) int32."""
        return self._holdout.models.copy()

    def _check_model(self, model_id: str, weight: float) -> None:
        if model_id in self._model_ids:
            raise ValueError(f"model {model_id}: added twice. Add each model once")
        if not 0 < weight < np.inf:
            raise ValueError(f"model {model_id}: weight={weight}. Use a positive number, or leave the model out")

    def _check_coverage(self, prediction: Prediction, model: str) -> None:
        """Refuses ids (known to be unique and in range) that leave rows out or change the holdout."""
        missing = len(self._test.models) - len(prediction.test_row_ids)
        if missing:
            raise ValueError(f"{model}, test: {missing} of {len(self._test.models)} rows are missing")
        if self._same_holdout and self._model_ids:
            self._check_same_holdout(prediction, model)

    def _check_same_holdout(self, prediction: Prediction, model: str) -> None:
        different = np.setxor1d(self._holdout.scored(), prediction.holdout_row_ids)
        if len(different):
            raise ValueError(
                f"{model}, holdout: {len(different)} row ids differ from those of model {next(iter(self._model_ids))}"
                f" (the first: {different[0]}). Train all members on one split"
            )


class _Tally:
    """Running sums over the rows of one file, indexed by row id."""

    def __init__(self, rows: int, num_classes: int) -> None:
        self.models = np.zeros(rows, np.int32)  # (rows,) how many models scored the row
        self._weights = np.zeros(rows)  # (rows,) float64
        self._proba = np.zeros((rows, num_classes))  # (rows, classes) float64, weighted sum
        self._votes = np.zeros((rows, num_classes), np.int32)  # (rows, classes) models with this top class

    def check(self, row_ids: np.ndarray, proba: np.ndarray, name: str) -> None:
        """Raises ValueError, beginning with `name`, unless each row has its own id and probabilities."""
        self._check_ids(row_ids, name)
        expected = (len(row_ids), self._proba.shape[1])
        if proba.shape != expected:
            raise ValueError(f"{name}: probabilities of shape {proba.shape}, expected {expected} (row ids, classes)")
        check_probabilities(proba, name)

    def _check_ids(self, row_ids: np.ndarray, name: str) -> None:
        if row_ids.ndim != 1 or not np.issubdtype(row_ids.dtype, np.integer):
            raise ValueError(f"{name}: row ids are {row_ids.dtype} {row_ids.shape}, expected integers of (rows,)")
        outside = row_ids[(row_ids < 0) | (row_ids >= len(self.models))]
        if len(outside):
            raise ValueError(f"{name}: {len(outside)} row ids outside 0 … {len(self.models) - 1}, e.g. {outside[0]}")
        ids, counts = np.unique(row_ids, return_counts=True)
        if len(ids) < len(row_ids):
            raise ValueError(f"{name}: {(counts > 1).sum()} row ids twice or more, e.g. {ids[counts.argmax()]}")

    def add(self, row_ids: np.ndarray, proba: np.ndarray, weight: float | np.ndarray) -> None:
        self.models[row_ids] += 1  # plain indexing will do: check() has seen that ids are unique
        self._weights[row_ids] += weight
        self._proba[row_ids] += np.reshape(weight, (-1, 1)) * proba.astype(np.float64)
        self._votes[row_ids, proba.argmax(axis=1)] += 1

    def scored(self) -> np.ndarray:
        """Returns the ids of rows that at least one model scored, (rows,) int64, ascending."""
        return np.flatnonzero(self.models)

    def combined(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns ids (rows,) int64, mean (rows, classes) float32 and disagreement (rows,) float32."""
        ids = self.scored()
        mean = (self._proba[ids] / self._weights[ids, None]).astype(np.float32)
        agreeing = self._votes[ids, mean.argmax(axis=1)]
        return ids, mean, (1.0 - agreeing / self.models[ids]).astype(np.float32)


def labels_of(proba: np.ndarray, classes: Sequence[Label]) -> list[Label]:
    """Returns the original label of each row's top class; a tie goes to the lowest class.

    Args:
        proba: (rows, classes), rows sum to 1.
        classes: the original labels, in column order.

    Raises:
        ValueError: `proba` holds no probabilities, or has not one column per class.
    """
    check_probabilities(proba)
    if proba.shape[1] != len(classes):
        raise ValueError(f"proba: {proba.shape[1]} columns for {len(classes)} classes")
    return [classes[top] for top in proba.argmax(axis=1).tolist()]
