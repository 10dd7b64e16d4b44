"""Which rows train and which score: seeded, stratified, equal images and the rows of a group on one side."""

import math

import numpy as np

from digits_ray.config import SplitConfig
from digits_ray.data.checks import group_equal_images
from digits_ray.data.groups import class_counts, deal_groups, joined_groups, missing_sides, numbered_by_appearance
from digits_ray.data.labels import Class
from digits_ray.data.loading import Data
from digits_ray.data.rows import TRAIN_ONLY
from digits_ray.errors import UserError


def split(data: Data, config: SplitConfig, seed: int) -> np.ndarray:
    """Gives every labelled row its fold.

    Exactly equal images move as one, so that no image is both trained on and scored; parts and class shares
    are those of the distinct images. An image that carries several labels counts for the first one. Where the data
    have groups, the rows of a group move as one too, and groups that have an image in common.

    Args:
        data: The run's data. Where a holdout was given, its rows score and all others are TRAIN_ONLY.
        config: `holdout`: fold 0 scores, the others are TRAIN_ONLY. `kfold`: every row has a fold from 0 to
            `folds` − 1. `none`: all rows are TRAIN_ONLY.
        seed: Of the shuffling; the same seed gives the same folds.

    Returns:
        (rows,) int16. The training side of every fold holds every class.

    Raises:
        UserError: A class, or all classes together, have too few distinct images, or lie in too few groups.
    """
    if config.scheme == "none" or data.holdout_rows:
        return _given_folds(data)
    if data.groups is not None:
        return _grouped(data, data.groups, config, seed)
    group = group_equal_images(data.images)  # (rows,)
    labels = data.labels[np.unique(group, return_index=True)[1]]  # (groups,) each group's first label
    if config.scheme == "holdout":
        return _holdout(labels, data.classes, config, seed)[group]
    return _kfold(labels, data.classes, config, seed)[group]


def _given_folds(data: Data) -> np.ndarray:
    """(rows,) int16 folds: the rows of a given holdout score, if there is one."""
    folds = np.full(len(data.labels), TRAIN_ONLY, np.int16)
    folds[data.train_rows :] = 0
    return folds


def _grouped(data: Data, groups: np.ndarray, config: SplitConfig, seed: int) -> np.ndarray:
    """(rows,) int16 folds that keep equal images and the rows of a group together."""
    image = group_equal_images(data.images)  # (rows,)
    first_row = np.unique(image, return_index=True)[1]  # (images,) of each distinct image
    joined = joined_groups(image, groups)  # (rows,)
    counts = class_counts(joined[first_row], data.labels[first_row], len(data.classes))
    kfold = config.scheme == "kfold"
    parts = np.full(config.folds, 1 / config.folds) if kfold else np.array([config.holdout, 1 - config.holdout])
    scored = config.folds if kfold else 1
    _refuse_few_groups(counts, data.classes, config)
    part = deal_groups(counts, parts, scored, seed)
    _refuse_missing_class(missing_sides(counts, part, scored), len(counts), data.classes, config)
    folds = part if kfold else np.where(part == 0, 0, TRAIN_ONLY)
    return folds.astype(np.int16)[joined]


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


def _refuse_few_groups(counts: np.ndarray, classes: tuple[Class, ...], config: SplitConfig) -> None:
    """Raises UserError where (groups, classes) counts of rows cannot be divided, however they are dealt."""
    groups, needed = len(counts), config.folds if config.scheme == "kfold" else 2
    setting, cure = _setting_and_cure(config)
    if groups < needed:
        raise UserError(
            f"{setting}: needs {needed} groups of rows without an image in common, but there {_are(groups)}. Add rows "
            f"of other groups, or {cure}."
        )
    spread = (counts > 0).sum(axis=0)  # (classes,) groups that have rows of the class
    if spread.min() < 2:
        raise UserError(
            f"{setting}: all rows of class {classes[int(spread.argmin())]!r} are in one group, so it cannot be on both "
            f"sides. Add rows of it in other groups, drop the class, or {cure}."
        )


def _refuse_missing_class(missing: np.ndarray, groups: int, classes: tuple[Class, ...], config: SplitConfig) -> None:
    """Raises UserError where (classes,) counts of sides without the class are not all 0."""
    if missing.any():
        setting, cure = _setting_and_cure(config)
        raise UserError(
            f"{setting}: no division of {groups} groups was found that has class {classes[int(missing.argmax())]!r} on "
            f"both sides. Add rows of it in other groups, or {cure}."
        )


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _setting_and_cure(config: SplitConfig) -> tuple[str, str]:
    if config.scheme == "kfold":
        return f"split.folds={config.folds}", "lower split.folds"
    return f"split.holdout={config.holdout}", "set split.scheme to none"


def check_validation_groups(data: Data, folds: np.ndarray, part: float) -> None:
    """Refuses groups of which no member could watch some and train on others with every class.

    Args:
        data: The run's data.
        folds: (rows,) int16, from `split`.
        part: `members.recipe.validation`.

    Raises:
        UserError: All training rows of a class, of some fold, are in one group.
    """
    if data.groups is None or part == 0:
        return
    joined = joined_groups(group_equal_images(data.images), data.groups)
    for fold in range(max(0, int(folds.max())) + 1):
        trained = folds != fold
        counts = class_counts(numbered_by_appearance(joined[trained]), data.labels[trained], len(data.classes))
        spread = (counts > 0).sum(axis=0)  # (classes,) groups that have rows of the class
        if spread.min() < 2:
            raise UserError(
                f"members.recipe.validation={part}: all training rows of class {data.classes[int(spread.argmin())]!r} "
                "are in one group, which cannot both train and be watched. Add rows of it in other groups, or set "
                "members.recipe.schedule to one that watches nothing, e.g. one_cycle, and validation to 0."
            )
