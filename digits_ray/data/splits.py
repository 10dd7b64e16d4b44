"""Which rows train and which score: seeded, stratified, and equal images on one side."""

import math

import numpy as np

from digits_ray.config import SplitConfig
from digits_ray.data.checks import group_equal_images
from digits_ray.data.labels import Class
from digits_ray.data.loading import Data
from digits_ray.data.rows import TRAIN_ONLY
from digits_ray.errors import UserError


def split(data: Data, config: SplitConfig, seed: int) -> np.ndarray:
    """Gives every labelled row its fold.

    Exactly equal images move as one, so that no image is both trained on and scored; parts and class shares
    are those of the distinct images. An image that carries several labels counts for the first one.

    Args:
        data: The run's data.
        config: `holdout`: fold 0 scores, the others are TRAIN_ONLY. `kfold`: every row has a fold from 0 to
            `folds` − 1. `none`: all rows are TRAIN_ONLY.
        seed: Of the shuffling; the same seed gives the same folds.

    Returns:
        (rows,) int16. The training side of every fold holds every class.

    Raises:
        UserError: A class, or all classes together, have too few distinct images.
    """
    if config.scheme == "none":
        return np.full(len(data.labels), TRAIN_ONLY, np.int16)
    group = group_equal_images(data.images)  # (rows,)
    labels = data.labels[np.unique(group, return_index=True)[1]]  # (groups,) each group's first label
    if config.scheme == "holdout":
        return _holdout(labels, data.classes, config, seed)[group]
    return _kfold(labels, data.classes, config, seed)[group]


def _holdout(labels: np.ndarray, classes: tuple[Class, ...], config: SplitConfig, seed: int) -> np.ndarray:
    """(groups,) int16 folds from (groups,) labels."""
    from sklearn.model_selection import train_test_split  # here: importing scikit-learn takes a second

    _refuse_small_class(labels, classes, 2, "split.scheme=holdout", "set split.scheme to none")
    _refuse_small_holdout(len(labels), len(classes), config.holdout)
    _, scored = train_test_split(np.arange(len(labels)), test_size=config.holdout, random_state=seed, stratify=labels)
    folds = np.full(len(labels), TRAIN_ONLY, np.int16)
    folds[scored] = 0
    return folds


def _kfold(labels: np.ndarray, classes: tuple[Class, ...], config: SplitConfig, seed: int) -> np.ndarray:
    """(groups,) int16 folds from (groups,) labels."""
    from sklearn.model_selection import StratifiedKFold

    _refuse_small_class(labels, classes, config.folds, f"split.folds={config.folds}", "lower split.folds")
    folds = np.empty(len(labels), np.int16)
    parts = StratifiedKFold(config.folds, shuffle=True, random_state=seed).split(labels, labels)
    for fold, (_, scored) in enumerate(parts):
        folds[scored] = fold
    return folds


def _refuse_small_class(labels: np.ndarray, classes: tuple[Class, ...], needed: int, setting: str, cure: str) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    least = int(counts.argmin())
    if counts[least] < needed:
        raise UserError(
            f"{setting}: needs {needed} distinct images of every class, "
            f"but class {classes[least]!r} has {counts[least]}. Add images of that class, drop it, or {cure}."
        )


def _refuse_small_holdout(images: int, classes: int, holdout: float) -> None:
    scored = math.ceil(holdout * images)  # as scikit-learn rounds
    if scored < classes:
        enough = math.ceil(100 * classes / images) / 100
        cure = f"Raise split.holdout to {enough} or more" if enough <= 0.5 else "Add images"
        raise UserError(
            f"split.holdout={holdout}: {scored} of {images} distinct images, fewer than {classes} classes. "
            f"{cure}, or set split.scheme to none."
        )
