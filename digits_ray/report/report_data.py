"""What a run writes of its data, so that its report can be drawn from the run directory alone.

dataset.npz   labels, folds, counts, sources, mean image of each class, some images; written before training
cases.npz     the images of the ensemble's hard cases; written with each result
"""

import json
from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np

from digits_ray.data import Data, DataCheck
from digits_ray.ensemble import Combined, hard_cases

GRID = 25  # images of a 5 × 5 grid
CASES = 24  # rows of each kind of hard case; the report shows half of them or fewer


def dataset_file(data: Data, folds: np.ndarray, check: DataCheck, seed: int) -> bytes:
    """Returns dataset.npz: some 100 KB for 42,000 images of 28 × 28.

    Args:
        data: The run's data.
        folds: (labelled_rows,) int16, from `split`.
        check: Counts of the data.
        seed: Of the choice of sample images.
    """
    rows, test_rows = _sample(len(data.images), seed), _sample(len(data.test_images), seed)
    return _npz_bytes(
        labels=data.labels,
        folds=folds,
        class_means=class_means(data.images, data.labels, len(data.classes)),
        sample_rows=rows,
        sample_images=data.images[rows],
        test_sample_rows=test_rows,
        test_sample_images=data.test_images[test_rows],
        facts=np.array(json.dumps(_facts(data, check))),
    )


def cases_file(data: Data, combined: Combined) -> bytes:
    """Returns cases.npz: the images of hard held-out rows and of the least certain test rows, with their row ids."""
    rows = combined.holdout_row_ids[_hard_positions(data, combined)]
    test_rows = combined.test_row_ids[hard_cases.least_sure(combined.test_proba, CASES)]
    return _npz_bytes(
        rows=rows,
        images=data.images[rows],
        test_rows=test_rows,
        test_images=data.test_images[test_rows],
    )


def class_means(images: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the mean image of each class, (classes, height, width[, 3]) uint8; black where a class has no images.

    Args:
        images: (rows, height, width[, 3]) uint8.
        labels: (rows,) int.
        num_classes: Number of classes.
    """
    means = np.zeros((num_classes, *images.shape[1:]), np.uint8)
    for label in np.unique(labels):
        means[label] = np.rint(images[labels == label].mean(axis=0))
    return means


def _hard_positions(data: Data, combined: Combined) -> np.ndarray:
    proba, labels = combined.holdout_proba, data.labels[combined.holdout_row_ids]
    if len(labels) == 0:
        return np.zeros(0, np.int64)
    kinds_of_cases = (
        hard_cases.most_disputed(proba, combined.holdout_disagreement, CASES),
        hard_cases.confident_mistakes(proba, labels, CASES),
        hard_cases.likely_wrong_labels(proba, labels, CASES),
    )
    return np.unique(np.concatenate(kinds_of_cases))


def _sample(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(rows, size=min(GRID, rows), replace=False)


def _facts(data: Data, check: DataCheck) -> dict[str, Any]:
    counts = {**asdict(check), "class_counts": list(check.class_counts.values())}  # JSON keys would be strings
    sources = {"train_source": data.train_source, "test_source": data.test_source, "notes": list(data.notes)}
    groups = {} if data.groups is None else {"groups": len(np.unique(data.groups[: data.train_rows]))}
    return {**counts, **sources, "pixel_scale": data.pixel_scale, "holdout_source": data.holdout_source, **groups}


def _npz_bytes(**arrays: np.ndarray) -> bytes:
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for allow_pickle
    return file.getvalue()
