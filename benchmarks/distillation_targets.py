"""What a distilled network should learn: labels, teachers' probabilities, both, both at a temperature, or for longer.

    python benchmarks/distillation_targets.py --train train.csv.gz [--rows 3000] [--teachers 4] [--seeds 3]

Of the labelled rows that a run of seed 0 does not hold out, some train and 6,000 score. Teachers and networks train by
the preset `fast`, one after the other, on all cores. A line a network: its errors.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from digits_ray.config import DataConfig, MemberSpec, Recipe, SplitConfig, loading
from digits_ray.data import TRAIN_ONLY, Rows, load, split
from digits_ray.data.rows import random_blocks
from digits_ray.ensemble import MemberResult
from digits_ray.machine import usable_cpus
from digits_ray.training import device

SCORED, TEMPERATURE, LONG = 6000, 4.0, 3  # rows; that of Hinton et al.; times the epochs
Fit = Callable[[int, Rows, Recipe], MemberResult]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--teachers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    members = loading.load_config("fast", flags={"data.train": options.train}).members
    device.claim(device.DeviceResources(usable_cpus(), backend=members.recipe.backend))
    from digits_ray.training import fit_member, load_model

    def fit(seed: int, rows: Rows, recipe: Recipe) -> MemberResult:
        return fit_member(MemberSpec(0, members.architectures[0], seed, 0, recipe), rows)

    rows = development_rows(options.train, options.rows)
    teachers = [fit(100 + number, rows, members.recipe) for number in range(options.teachers)]
    images = rows.images[: options.rows]
    taught = np.mean([load_model(each.model_file).predict(images, 512, verbose=0) for each in teachers], axis=0)
    print("teachers", [errors(each.prediction.holdout_proba, rows) for each in teachers])
    print("their ensemble", errors(np.mean([each.prediction.holdout_proba for each in teachers], axis=0), rows))
    for seed in range(options.seeds):
        print_networks(seed, fit, rows, taught, members.recipe)


def development_rows(train: str, rows: int) -> Rows:
    """Draws rows that train, then rows that score (fold 0); none is held out by a run of seed 0."""
    data = load(DataConfig(train))
    development = np.flatnonzero(split(data, SplitConfig(), 0) == TRAIN_ONLY)
    index = np.random.default_rng(5).permutation(development)[: rows + SCORED]
    folds = np.where(np.arange(len(index)) < rows, TRAIN_ONLY, 0).astype(np.int16)
    blocks = random_blocks(len(index), len(index))
    return Rows(data.images[index], data.labels[index], np.arange(len(index)), folds, blocks, len(data.classes))


def errors(proba: np.ndarray, rows: Rows) -> int:
    """Counts the wrong labels of the scored rows; `proba` is (scored rows, classes)."""
    return int((proba.argmax(axis=1) != rows.labels[rows.holdout_index(0)]).sum())


def print_networks(seed: int, fit: Fit, rows: Rows, taught: np.ndarray, recipe: Recipe) -> None:
    """Trains a network of this seed each way; `taught` is (training rows, classes), the teachers' probabilities."""
    labels = rows.one_hot_labels(np.arange(len(rows.labels)))

    def mixed(weight: float) -> Rows:
        return replace(rows, soft_labels=with_teachers((1 - weight) * labels, weight * taught))

    unsmoothed, longer = replace(recipe, label_smoothing=0.0), replace(recipe, epochs=LONG * recipe.epochs)
    coded = replace(rows, soft_labels=with_teachers(2 * labels, taught))
    ways: dict[str, tuple[Rows, Recipe, Any]] = {
        "labels": (rows, recipe, nullcontext()),
        "labels and teachers": (mixed(0.5), recipe, nullcontext()),
        "teachers": (mixed(1.0), recipe, nullcontext()),
        "labels and teachers, no label smoothing": (mixed(0.5), unsmoothed, nullcontext()),
        f"labels, {LONG} × the epochs": (rows, longer, nullcontext()),
        f"labels and teachers, {LONG} × the epochs": (mixed(0.5), longer, nullcontext()),
        f"labels and teachers, temperature {TEMPERATURE:g}": (coded, recipe, tempered()),
    }
    for name, (taught_rows, recipe_of_way, context) in ways.items():
        with context:
            result = fit(seed, taught_rows, recipe_of_way)
        print(f"seed {seed}: {name}: {errors(result.prediction.holdout_proba, rows)}", flush=True)


def with_teachers(labels: np.ndarray, taught: np.ndarray) -> np.ndarray:
    """Adds (training rows, classes) to the first rows of (rows, classes); returns float32."""
    targets = labels.copy()
    targets[: len(taught)] += taught
    return targets.astype(np.float32)


@contextmanager
def tempered() -> Iterator[None]:
    """Within, the loss is Hinton's with a temperature; targets are probabilities plus 2 where the label is."""
    import keras
    from keras import ops

    from digits_ray.training import compiled

    def loss(coded: Any, proba: Any) -> Any:
        label = ops.cast(coded >= 2, "float32")
        taught, proba = (ops.clip(values, 1e-7, 1.0) for values in (coded - 2 * label, proba))
        softened = ops.softmax(ops.log(taught) / TEMPERATURE)
        learnt = ops.log_softmax(ops.log(proba) / TEMPERATURE)
        soft = -(TEMPERATURE**2) * ops.sum(softened * learnt, axis=-1)
        return 0.5 * soft - 0.5 * ops.sum(label * ops.log(proba), axis=-1)

    compiled.compiled_step.cache_clear()
    with mock.patch.object(keras.losses, "CategoricalCrossentropy", lambda label_smoothing: loss):
        yield
    compiled.compiled_step.cache_clear()


if __name__ == "__main__":
    main()
