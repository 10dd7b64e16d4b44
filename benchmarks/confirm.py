"""Confirms a preset on rows that took no part in choosing its recipe.

    python benchmarks/confirm.py --train train.csv.gz [--preset fast] [--folds 0 1 2]

The rows are dealt into the ten folds of `ablation.py`, which never reads folds 0 to 2. For each of these in turn, the
preset's members train on all the other rows, as `digits-ray run` trains them, and their summed votes are scored on the
fold. Seconds are of the training with everything it needs, from the start of Ray to the last member's end.
"""

import argparse
import tempfile
import time
from dataclasses import replace

import numpy as np
from ablation import FOLDS, SEED, TRAINED

from digits_ray import resources, settings
from digits_ray.config import Config, DataConfig, SplitConfig, member_specs
from digits_ray.data import Rows, gather, load, share, split
from digits_ray.data.rows import TRAIN_ONLY
from digits_ray.ensemble import SoftVote
from digits_ray.metrics import accuracy_ci95, score
from digits_ray.predictions import MemberResult
from digits_ray.rundir import RunDirectory
from digits_ray.session import nodes, session
from digits_ray.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(TRAINED[0]), default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for digits-ray run")
    args = parser.parse_args()
    config = settings.load(args.preset, settings=args.set)
    data = load(DataConfig(train=args.train))
    folds = split(data, SplitConfig("kfold", folds=FOLDS), SEED)
    right = rows = 0
    for fold in args.folds:
        held_out = gather(data, np.where(folds == fold, 0, TRAIN_ONLY).astype(np.int16))
        correct, scored = confirm(held_out, replace(config, seed=config.seed + fold), fold)
        right, rows = right + correct, rows + scored
    low, high = accuracy_ci95(right, rows)
    print(f"{args.preset}: {rows - right} errors in {rows:,} rows, {right / rows:.3%} ({low:.3%} to {high:.3%})")


def confirm(rows: Rows, config: Config, fold: int) -> tuple[int, int]:
    """Returns how many rows of the fold the ensemble has right, and of how many."""
    started = time.perf_counter()
    results, seconds, slots = train(rows, config)
    labels = rows.labels[rows.holdout_index(0)]
    vote = SoftVote(len(rows.labels), 0, rows.num_classes, same_holdout=True)
    for result in results:
        vote.add(result.prediction)
    members = [score(result.prediction.holdout_proba, labels) for result in results]
    together = score(vote.result().holdout_proba, labels)
    accuracies = [member.accuracy for member in members]
    overhead = 1 - sum(result.fit_seconds for result in results) / (slots * seconds)
    print(
        f"fold {fold}: {together.accuracy:.3%} of {together.rows:,}, NLL {together.nll:.4f};"
        f" members {np.mean(accuracies):.3%} ± {np.std(accuracies, ddof=1):.3%}; training {seconds:.0f} s on {slots}"
        f" slots, {overhead:.1%} of it not in epochs; {time.perf_counter() - started:.0f} s in all",
        flush=True,
    )
    return round(together.accuracy * together.rows), together.rows


def train(rows: Rows, config: Config) -> tuple[list[MemberResult], float, int]:
    """Returns the members, the seconds from their first start to the last end, and the slots they had."""
    from digits_ray.trainer import Patience, Shared, fit_members

    with tempfile.TemporaryDirectory() as folder, session(config.resources):
        asked, store = config.resources, Store.at(folder)
        plan = resources.plan(nodes(), config.members.count, asked.gpus_per_member, asked.cpus_per_member)
        shared, started = Shared(share(rows), rows.num_classes, store, RunDirectory(store).mark()), time.perf_counter()
        outcomes = list(fit_members(member_specs(config), shared, lambda unfinished: plan, Patience()))
        results = [outcome for outcome in outcomes if isinstance(outcome, MemberResult)]
        return results, time.perf_counter() - started, plan.slots


if __name__ == "__main__":
    main()
