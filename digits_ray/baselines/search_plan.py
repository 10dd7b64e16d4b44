"""What is searched, and which rows it is trained and scored on: checked before any work starts."""

from dataclasses import dataclass, replace

import numpy as np

from digits_ray import data as datasets
from digits_ray.baselines.trial_specs import BaselineSpec, baseline_specs
from digits_ray.config import Config, SplitConfig
from digits_ray.data import TRAIN_ONLY, Data
from digits_ray.errors import UserError


@dataclass(frozen=True, eq=False)
class SearchPlan:
    """What is searched, and on which labelled rows. The holdout takes no part in it."""

    specs: list[BaselineSpec]
    train: np.ndarray  # (train_rows,) int64 row ids that trials are trained on
    validation: np.ndarray  # (validation_rows,) int64 row ids that score the trials


def plan_search(config: Config, data: Data, folds: np.ndarray) -> SearchPlan:
    """Cuts a validation part from the training rows; equal images, and the rows of a group, stay on one side.

    Under k folds every row is a training row: the validation part is cut from all, and the winner is then fitted
    again for each fold, so that no row is scored by a model that was trained on it; nor is one that it was chosen on.

    Args:
        config: The run's.
        data: The run's.
        folds: (labelled_rows,) int16, from `data.split`.

    Raises:
        UserError: too few rows for a validation part, or a space that does not fit them.
    """
    kfold = config.split.scheme == "kfold"
    rows = np.arange(len(folds)) if kfold else np.flatnonzero(folds == TRAIN_ONLY)
    validation = _validation_rows(config, data, rows)
    smallest = min(len(rows) - int(validation.sum()), *(_kfold_rows(folds) if kfold else [len(rows)]))
    return SearchPlan(baseline_specs(config, data, smallest), rows[~validation], rows[validation])


def _validation_rows(config: Config, data: Data, rows: np.ndarray) -> np.ndarray:
    """Returns which of the training rows, (rows,) int64, score the search: (rows,) bool."""
    part = config.baselines.validation
    groups = None if data.groups is None else data.groups[rows]
    training = replace(data, images=data.images[rows], labels=data.labels[rows], groups=groups, holdout_rows=0)
    try:
        return datasets.split(training, SplitConfig("holdout", part), config.seed) != TRAIN_ONLY
    except UserError as error:
        cause = str(error).split(": ", 1)[1].split(". ", 1)[0]
        raise UserError(
            f"baselines.validation={part}: too few training rows to cut a part from ({cause}). "
            "Add images, raise baselines.validation, or set baselines.enabled to false (--no-baselines)."
        ) from None


def _kfold_rows(folds: np.ndarray) -> list[int]:
    """Returns the training rows of each fold."""
    return [len(folds) - int(rows) for rows in np.bincount(folds)]
