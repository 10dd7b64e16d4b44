"""Small data that tests make for themselves."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import TEST, TRAIN_ONLY, Rows
from digits_ray.data.rows import random_blocks
from digits_ray.ensemble.predictions import MemberResult

SIDE, CLASSES = 8, 3


def images_of(labels: np.ndarray, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """Images (rows, side, side) uint8 that show their label: a bright bar at a height of its own, on noise."""
    images = np.random.default_rng(seed).integers(0, 60, (len(labels), side, side), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 2 * label + 1] = 250
    return images


def rows_of(labelled: int = 120, held_out: int = 30, test: int = 12, rows_per_block: int = 1000) -> Rows:
    """Rows of a learnable task: the first `held_out` labelled rows score, `test` rows have no label."""
    labels = np.arange(labelled + test, dtype=np.int32) % CLASSES
    folds = np.full(labelled + test, TRAIN_ONLY, np.int16)
    folds[:held_out], folds[labelled:] = 0, TEST
    images = images_of(labels)
    labels[labelled:] = -1
    blocks = random_blocks(labelled + test, rows_per_block)
    return Rows(images, labels, np.concatenate([np.arange(labelled), np.arange(test)]), folds, blocks, CLASSES)


def spec_of(
    member_id: int = 0, seed: int = 1, architecture: str = "compact", fold: int = 0, **recipe: object
) -> MemberSpec:
    """A member that trains in a moment."""
    values = {"epochs": 2, "batch_size": 16, **recipe}
    return MemberSpec(member_id, architecture, seed, fold, Recipe(**values))  # type: ignore[arg-type]


class Kept:
    """Saved epochs in memory."""

    def __init__(self, states: dict[int, bytes] | None = None) -> None:
        self.states = dict(states or {})

    def candidates(self) -> Iterator[bytes]:
        return iter([self.states[epoch] for epoch in sorted(self.states, reverse=True)])

    def save(self, epoch: int, state: bytes) -> None:
        self.states[epoch] = state


def same(one: MemberResult, other: MemberResult) -> bool:
    """Tells whether two members predict the same, bit for bit."""
    pairs = [
        (getattr(one.prediction, name), getattr(other.prediction, name)) for name in ("holdout_proba", "test_proba")
    ]
    return all(np.array_equal(left, right) for left, right in pairs)


def write_kaggle_csv(path: Path, labelled: int = 90, with_labels: bool = True, side: int = SIDE, seed: int = 0) -> Path:
    """A file in Kaggle's layout."""
    labels = np.arange(labelled) % CLASSES
    pixels = images_of(labels, side, seed).reshape(labelled, -1)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="") as file:
        table = csv.writer(file)
        head = [f"pixel{number}" for number in range(side * side)]
        table.writerow(["label", *head] if with_labels else head)
        table.writerows([[label, *row] if with_labels else row for label, row in zip(labels, pixels, strict=True)])
    return path
