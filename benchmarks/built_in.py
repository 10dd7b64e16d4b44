"""Recipes for the built-in digits, compared out of fold on the rows that a run trains on.

    python benchmarks/built_in.py [--seeds 3] [--fold-seed 1] [--only "the preset's" ...]

A run of the preset holds out 144 of the 1,437 labelled rows, and keeps 360 apart as test rows; none of these is scored
here. The other 1,293 are dealt into five stratified folds, and each network is scored on the fold that it never saw, so
that each seed gives one error count of 1,293 rows. Networks train in processes of one thread, as many as there are
cores. The recipe was chosen with folds of seed 2026; others confirm it.
"""

import argparse
import multiprocessing
import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from ablation import claim

from digits_ray.config import DataConfig, MembersConfig, MemberSpec, SplitConfig, loading
from digits_ray.data import Rows, combine_rows, load, split
from digits_ray.data.rows import TRAIN_ONLY
from digits_ray.ensemble.metrics import nll

FOLDS, CHOSEN_WITH = 5, 2026
RUN_SEED = 0  # of the run whose holdout is left alone

FOR_FILES = {"data.train": "any.csv"}
RECIPES: dict[str, dict[str, Any]] = {
    "the preset's": {},
    "that for files": FOR_FILES,
    "15 epochs": {"members.recipe.epochs": 15},
    "30 epochs": {"members.recipe.epochs": 30},
    "30 epochs of batches of 128": {"members.recipe.epochs": 30, "members.recipe.batch_size": 128},
    "rotation 10°, zoom 0.1": {"members.recipe.augmentation": {"rotation": 10.0, "zoom": 0.1}},
    "half the shift": {"members.recipe.augmentation.shift": 0.05},
    "rate 2e-3": {"members.recipe.learning_rate": 2e-3},
}


@dataclass(frozen=True)
class Scored:
    """One network, scored on the fold that it never saw."""

    seed: int
    errors: int
    rows: int
    nll: float  # nats a row
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fold-seed", type=int, default=CHOSEN_WITH)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="RECIPE")
    args = parser.parse_args()
    print("| recipe | errors of 1,293 rows, a seed each | mean | NLL | seconds a network |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), claim, (False,)) as pool:
        for name in args.only:
            members = loading.load_config("fast", flags=RECIPES[name]).members
            given = [(members, seed, fold, args.fold_seed) for seed in range(args.seeds) for fold in range(FOLDS)]
            print_row(name, list(pool.map(fit, *zip(*given, strict=True))))


@cache
def development_rows(fold_seed: int) -> Rows:
    data = load(DataConfig())
    trained = split(data, SplitConfig(), RUN_SEED) == TRAIN_ONLY
    part = replace(data, images=data.images[trained], labels=data.labels[trained], test_images=data.test_images[:0])
    return combine_rows(part, split(part, SplitConfig("kfold", folds=FOLDS), fold_seed))


def fit(members: MembersConfig, seed: int, fold: int, fold_seed: int) -> Scored:
    from digits_ray.training.fit import fit_member

    rows = development_rows(fold_seed)
    result = fit_member(MemberSpec(0, members.architectures[0], seed, fold, members.recipe), rows)
    proba, labels = result.prediction.holdout_proba, rows.labels[rows.holdout_index(fold)]
    errors = int((proba.argmax(axis=1) != labels).sum())
    return Scored(seed, errors, len(labels), nll(proba, labels), result.fit_seconds)


def print_row(name: str, scored: list[Scored]) -> None:
    errors = [sum(one.errors for one in scored if one.seed == seed) for seed in sorted({one.seed for one in scored})]
    loss = np.average([one.nll for one in scored], weights=[one.rows for one in scored])
    seconds = statistics.median(one.seconds for one in scored)
    listed = ", ".join(map(str, errors))
    print(f"| {name} | {listed} | {statistics.mean(errors):.1f} | {loss:.4f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
