"""Small data and specs for the classical models."""

import numpy as np
from factories import CLASSES, images_of
from sklearn.datasets import load_digits

from digits_ray.baselines.sweeps import TrainAndQueries
from digits_ray.baselines.trial_specs import BaselineSpec, baseline_specs
from digits_ray.config import Config
from digits_ray.data import Data


def data_of(rows: int = 120, side: int = 8) -> Data:
    """Labelled images of `CLASSES` classes, and no test rows."""
    labels = np.arange(rows, dtype=np.int32) % CLASSES
    images = images_of(labels, side)
    return Data(images, labels, tuple(range(CLASSES)), images[:0], "train.csv", None)


def digits(coarseness: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Real digits in two parts; coarse pixels make many equal distances."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels, labels = (bunch.data[order] // coarseness).astype(np.float32), bunch.target[order].astype(np.int32)
    return pixels[:1200], labels[:1200], pixels[1200:], labels[1200:]


def rows_of_digits() -> tuple[TrainAndQueries, np.ndarray]:
    """400 real digits to train on, 400 to predict, and the labels of these."""
    rows, labels, queries, truth = (array[:400] for array in digits())
    as_images = [array.reshape(-1, 8, 8).astype(np.uint8) for array in (rows, queries)]
    return TrainAndQueries(as_images[0], labels, as_images[1]), truth


def spec_of(kind: str, config: Config | None = None, data: Data | None = None, rows: int = 100) -> BaselineSpec:
    """What is searched for one kind of baseline."""
    specs = baseline_specs(config or Config(), data or data_of(), rows)
    return next(spec for spec in specs if spec.kind == kind)
