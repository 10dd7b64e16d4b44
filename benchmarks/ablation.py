"""One change at a time to the default recipe, over several seeds, on a development part of the labelled rows.

    python benchmarks/ablation.py --train train.csv.gz [--seeds 3] [--only "no label smoothing" ...]
    python benchmarks/ablation.py --train train.csv.gz --preset best --gpu

The rows are split into ten stratified folds (seed 2026, equal images together). Folds 0 to 2 are left for confirming a
recipe once it is chosen, and are not read here. Members train on folds 3 to 7 and are scored on folds 8 and 9, each in
a process of one thread, as many side by side as there are cores; with --gpu one after the other, by JAX on the GPU.
Changes to the preset `best` are made to its first kind of network. Accuracy is that of single members (mean ± standard
deviation over the seeds) and of the seeds' summed votes; seconds are of one member's training.
"""

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from digits_ray.config import Config, DataConfig, MemberSpec, SplitConfig, loading
from digits_ray.data import Data, Rows, combine_rows, load, split
from digits_ray.data.rows import TRAIN_ONLY
from digits_ray.training import device

FOLDS, SEED = 10, 2026
TRAINED, SCORED = range(3, 8), range(8, 10)

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {
        "the default": {},
        "compact network": {"architecture": "compact"},
        "batch normalisation and dropout as published": {"architecture": "deotte"},
        "the notebook's network": {"architecture": "notebook"},
        "half the epochs": {"epochs": 6},
        "twice the epochs": {"epochs": 24},
        "forty epochs": {"epochs": 40},
        "forty epochs, rotation 15°, zoom 0.15": {"epochs": 40, "rotation": 15.0, "zoom": 0.15},
        "the same without label smoothing": {"epochs": 40, "rotation": 15.0, "zoom": 0.15, "label_smoothing": 0.0},
        "batch 64": {"batch_size": 64},
        "batch 256": {"batch_size": 256},
        "half the learning rate": {"learning_rate": 1e-3},
        "twice the learning rate": {"learning_rate": 4e-3},
        "constant learning rate": {"schedule": "constant", "learning_rate": 1e-3},
        "moving average of weights": {"ema": 0.995},
        "no label smoothing": {"label_smoothing": 0.0},
        "no augmentation": {"rotation": 0.0, "zoom": 0.0, "shift": 0.0},
        "half the shift": {"shift": 0.05},
        "rotation 15°, zoom 0.15": {"rotation": 15.0, "zoom": 0.15},
    },
    "best": {
        "as it is": {},
        "half the epochs": {"epochs": 45, "min_steps": 0},
        "rotation 10°, no shear": {"rotation": 10.0, "shear": 0.0},
        "no label smoothing": {"label_smoothing": 0.0},
        "no moving average": {"ema": 0.0},
        "the other network": {"architecture": "vgg_small"},
    },
}


@dataclass(frozen=True)
class FittedMember:
    """One member that was trained with one change."""

    change: str
    proba: np.ndarray  # (scored_rows, classes)
    errors: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", choices=CHANGES, default="fast")
    parser.add_argument("--only", nargs="+", metavar="CHANGE", help="some of the preset's changes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for digits-ray run")
    parser.add_argument("--gpu", action="store_true")
    args = parser.parse_args()
    if unknown := set(args.only or ()) - CHANGES[args.preset].keys():
        parser.error(f"--only: {', '.join(unknown)}: not among {', '.join(CHANGES[args.preset])}")
    rows = development_rows(args.train)
    labels = rows.labels[rows.holdout_index(0)]
    config = read_config(args.preset, args.set + ["members.recipe.backend=jax"] * args.gpu)
    changes = {change: CHANGES[args.preset][change] for change in args.only or CHANGES[args.preset]}
    specs = [(name, spec(config, change, seed)) for name, change in changes.items() for seed in range(args.seeds)]
    members: dict[str, list[FittedMember]] = {change: [] for change in changes}
    workers, spawned = 1 if args.gpu else os.cpu_count(), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawned, claim, (args.gpu,)) as pool:
        for done in as_completed(pool.submit(fit, change, member, rows) for change, member in specs):
            fitted = done.result()
            members[fitted.change].append(fitted)
            print(f"{fitted.change}: {fitted.errors} errors, {fitted.seconds:.0f} s", flush=True)
    print_table(members, labels)


def development_rows(path: str) -> Rows:
    data = load(DataConfig(train=path))
    return held_out(data, split(data, SplitConfig("kfold", folds=FOLDS), SEED), TRAINED, SCORED)


def held_out(data: Data, folds: np.ndarray, trained: Sequence[int], scored: Sequence[int]) -> Rows:
    """Returns the rows of these folds alone: some to train on, the others held out; `folds` is (rows,)."""
    used = np.isin(folds, [*trained, *scored])
    part = replace(data, images=data.images[used], labels=data.labels[used])
    return combine_rows(part, np.where(np.isin(folds[used], scored), 0, TRAIN_ONLY).astype(np.int16))


def read_config(preset: str, changed: list[str]) -> Config:
    """Returns a preset for files of the user's own."""
    return loading.load_config(preset, flags={"data.train": "any.csv"}, settings=changed)


def spec(config: Config, change: dict[str, Any], seed: int) -> MemberSpec:
    members, changed = config.members, dict(change)
    architecture = changed.pop("architecture", members.architectures[0])
    distortion = {name: changed.pop(name) for name in ("rotation", "zoom", "shift", "shear") if name in changed}
    augmentation = replace(members.recipe.augmentation, **distortion)
    return MemberSpec(seed, architecture, seed, 0, replace(members.recipe, augmentation=augmentation, **changed))


def claim(gpu: bool) -> None:
    whole_gpu = device.DeviceResources(threads=os.cpu_count() or 1, gpus=1, backend="jax")
    device.claim(whole_gpu if gpu else device.DeviceResources(threads=1))


def fit(change: str, member: MemberSpec, rows: Rows) -> FittedMember:
    from digits_ray.training.fit import fit_member

    result = fit_member(member, rows)
    proba = result.prediction.holdout_proba
    errors = int((proba.argmax(1) != rows.labels[rows.holdout_index(0)]).sum())
    return FittedMember(change, proba, errors, result.fit_seconds)


def print_table(members_of: dict[str, list[FittedMember]], labels: np.ndarray) -> None:
    rows = len(labels)
    print(f"\n{rows:,} rows scored\n")
    print("| change | n | single members | their summed votes | seconds a member |")
    print("|---|---|---|---|---|")
    for change, members in members_of.items():
        accuracies = [100 * (1 - member.errors / rows) for member in members]
        spread = statistics.stdev(accuracies) if len(members) > 1 else 0.0
        vote = np.sum([member.proba for member in members], axis=0).argmax(1)
        seconds = statistics.median(member.seconds for member in members)
        vote_accuracy = 100 * float((vote == labels).mean())
        print(
            f"| {change} | {len(members)} | {statistics.mean(accuracies):.2f} ± {spread:.2f} % "
            f"| {vote_accuracy:.2f} % | {seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
