"""Data of distinct small images, for splitting."""

import numpy as np

from digits_ray.data import Data


def data_of(images: np.ndarray, labels: list[int] | np.ndarray, test_rows: int = 0) -> Data:
    """Data whose images are 2 × 4 pixels made of the numbers given."""
    number = np.asarray(images, np.int64)
    labels = np.asarray(labels, np.int32)
    return Data(
        images=number.view(np.uint8).reshape(-1, 2, 4).copy(),
        labels=labels,
        classes=tuple(range(labels.max() + 1)),
        test_images=np.full((test_rows, 2, 4), 9, np.uint8),
        train_source="train.csv",
        test_source=None,
    )


def distinct(counts: list[int], test_rows: int = 0) -> Data:
    """Distinct images, so many of each class, in mixed order."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return data_of(np.arange(len(labels)), labels, test_rows)
