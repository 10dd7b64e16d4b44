"""The batches that a network trains on, is watched with and predicts, gathered from the rows by position."""

import math
from collections.abc import Callable

import keras
import numpy as np

from digits_ray.config import MemberSpec
from digits_ray.data import RowSource, class_counts, deal_groups, numbered_by_appearance

PREDICT_BATCH = 512  # rows at a time; more gains nothing on a CPU and costs memory


class TrainingBatches(keras.utils.PyDataset):
    """Batches to train on, in an order drawn from (seed, epoch).

    Every batch is full: the few rows left over differ from epoch to epoch.
    """

    def __init__(self, rows: RowSource, index: np.ndarray, batch_size: int, seed: int) -> None:
        """Takes the positions (training rows,) to train on; fewer rows than `batch_size` make a single batch."""
        super().__init__()
        self.rows, self.index, self.seed = rows, index, seed
        self.batch_size = min(batch_size, len(index))
        self.set_epoch(0)

    @property
    def image_bytes(self) -> int:
        """Bytes of the images that are trained on, as uint8."""
        return len(self.index) * math.prod(self.rows.image_shape)

    def set_epoch(self, epoch: int) -> None:
        """Draws the order of this epoch, counted from 0."""
        self.order = self.rows.epoch_order(self.index, self.seed, epoch)

    def __len__(self) -> int:
        return len(self.index) // self.batch_size

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns images (batch, height, width[, 3]) uint8 and what is trained towards, (batch, classes) float32."""
        index = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return self.rows.images_at(index), self.rows.targets(index)


class InferenceBatches(keras.utils.PyDataset):
    """Every one of some rows once, in a fixed order that a stream can follow."""

    def __init__(self, rows: RowSource, index: np.ndarray, on_batch: Callable[[], None] = lambda: None) -> None:
        """Takes the positions (rows,) of the rows and what to call at each batch; `order` (rows,) is how they come."""
        super().__init__()
        self.rows, self.order, self.on_batch = rows, rows.sorted_by_block(index), on_batch

    def __len__(self) -> int:
        return math.ceil(len(self.order) / PREDICT_BATCH)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns images (batch, height, width[, 3]) uint8 and one-hot labels (batch, classes) float32."""
        self.on_batch()
        index = self.order[number * PREDICT_BATCH : (number + 1) * PREDICT_BATCH]
        return self.rows.images_at(index), self.rows.one_hot_labels(index)


class PredictionBatches(keras.utils.PyDataset):
    """The images of some rows, each once, in batches of one size: another would be another program to compile.

    The last batch is filled up with its last row.
    """

    def __init__(self, images: Callable[[np.ndarray], np.ndarray], order: np.ndarray, on_batch: Callable[[], None]):
        """Takes what returns the images at positions (n,) int64, the positions (rows,), and what to call at each batch.

        There is one row at least.
        """
        super().__init__()
        self.images, self.rows, self.on_batch = images, len(order), on_batch
        self.order = np.append(order, np.repeat(order[-1:], -len(order) % PREDICT_BATCH))

    def __len__(self) -> int:
        return len(self.order) // PREDICT_BATCH

    def __getitem__(self, number: int) -> tuple[np.ndarray]:
        """Returns images (rows, height, width[, 3]) uint8, PREDICT_BATCH of them, by themselves."""
        self.on_batch()
        return (self.images(self.order[number * PREDICT_BATCH : (number + 1) * PREDICT_BATCH]),)

    def predicted_by(self, model: keras.Model) -> np.ndarray:
        """Returns what a model predicts, (rows, classes) float32, in their order."""
        proba: np.ndarray = model.predict(self, verbose=0)[: self.rows]
        return proba


def split_off_validation(rows: RowSource, spec: MemberSpec) -> tuple[np.ndarray, np.ndarray]:
    """Divides the training rows into those trained on and those that the plateau watches.

    Returns:
        Positions (training rows,) and (validation rows,) int64; the latter is empty where the recipe wants none.
    """
    index = rows.train_index(spec.fold)
    if spec.recipe.validation == 0:
        return index, index[:0]
    if rows.groups is not None:
        return _split_off_groups(rows, rows.groups[index], index, spec)
    from sklearn.model_selection import train_test_split

    labels = rows.labels[index]
    rarest, watched = np.unique(labels, return_counts=True)[1].min(), int(len(index) * spec.recipe.validation)
    stratify = labels if rarest > 1 and watched >= rows.num_classes else None
    training, validation = train_test_split(
        index, test_size=spec.recipe.validation, random_state=spec.seed, stratify=stratify
    )
    return training, validation


def _split_off_groups(
    rows: RowSource, groups: np.ndarray, index: np.ndarray, spec: MemberSpec
) -> tuple[np.ndarray, np.ndarray]:
    """The same where rows of a group, (training rows,) int, stay on one side."""
    group, part = numbered_by_appearance(groups), spec.recipe.validation
    counts = class_counts(group, rows.labels[index], rows.num_classes)
    is_watched = deal_groups(counts, np.array([part, 1 - part]), 1, spec.seed)[group] == 0
    return index[~is_watched], index[is_watched]
