"""Confirms recipes on rows that took no part in choosing any of them, and compares them with each other.

    python benchmarks/confirm.py --train train.csv.gz [--recipes fast strong notebook] [--folds 0 1 2]

A recipe is a preset or a configuration file. The rows are split into the ten folds of `ablation.py`, which never reads
folds 0 to 2. For each of these in turn, each recipe's members train on all the other rows, as `digits-ray run` trains
them, and their summed votes are scored on the fold. With --at-once they train once, on folds 3 to 9, and are scored on
all the folds named: fewer rows to learn from, a third of the time. Seconds are of the training with everything it
needs, from the start of Ray to the last member's end; those of one member are of its epochs, in the first of which
a network of a new kind is compiled.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace

import numpy as np
from ablation import FOLDS, SEED, TRAINED, held_out

from digits_ray.config import Config, DataConfig, SplitConfig, loading, member_specs
from digits_ray.data import Rows, load, put_dataset, split
from digits_ray.ensemble.metrics import accuracy_ci95, mcnemar, score
from digits_ray.ensemble.predictions import MemberResult
from digits_ray.ensemble.soft_vote import SoftVote
from digits_ray.scheduling.planner import first_plan
from digits_ray.scheduling.session import ray_session
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--recipes", nargs="+", default=["fast"], metavar="PRESET_OR_FILE")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(TRAINED[0]), default=[0])
    parser.add_argument("--at-once", action="store_true", help="train on folds 3 to 9 alone, score all folds together")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for digits-ray run")
    args = parser.parse_args()
    configs = {name: read_config(name, args.set) for name in args.recipes}
    data = load(DataConfig(train=args.train))
    folds = split(data, SplitConfig("kfold", folds=FOLDS), SEED)
    correct: dict[str, list[np.ndarray]] = {name: [] for name in configs}
    for scored in [args.folds] if args.at_once else [[fold] for fold in args.folds]:
        trained = range(TRAINED[0] if args.at_once else 0, FOLDS)
        rows = held_out(data, folds, [fold for fold in trained if fold not in scored], scored)
        for name, config in configs.items():
            print(f"{name}, scored on folds {scored}:", flush=True)
            correct[name].append(confirm(rows, replace(config, seed=config.seed + scored[0])))
    print_comparison({name: np.concatenate(parts) for name, parts in correct.items()})


def read_config(name: str, changed: list[str]) -> Config:
    """Returns the configuration of a file, or that of a preset for files of the user's own, without its folds."""
    preset, file = (None, name) if name.endswith((".yaml", ".yml")) else (name, None)
    flags = {"data.train": "any.csv", "split.scheme": "holdout"}
    return loading.load_config(preset, file, flags=flags, settings=changed)


def confirm(rows: Rows, config: Config) -> np.ndarray:
    """Prints how accurate members and ensemble are; returns (scored_rows,) bool, where the ensemble is right."""
    started = time.perf_counter()
    labels = rows.labels[rows.holdout_index(0)]
    results, seconds, at_once = train(rows, config)
    print_kinds(results, config, labels)
    vote = SoftVote(len(rows.labels), 0, rows.num_classes, same_holdout=True)
    for result in results:
        vote.add(result.prediction)
    members = [score(result.prediction.holdout_proba, labels) for result in results]
    proba = vote.result().holdout_proba
    ensemble = score(proba, labels)
    accuracies = [member.accuracy for member in members]
    spread = f" ± {np.std(accuracies, ddof=1):.3%}" if len(accuracies) > 1 else ""
    overhead = 1 - sum(result.fit_seconds for result in results) / (at_once * seconds)
    print(
        f"{ensemble.accuracy:.3%} of {ensemble.rows:,}, NLL {ensemble.nll:.4f};"
        f" {len(members)} members {np.mean(accuracies):.3%}{spread}; training {seconds:.0f} s, {at_once}"
        f" at once, {overhead:.1%} of it not in epochs; {time.perf_counter() - started:.0f} s in all",
        flush=True,
    )
    return proba.argmax(axis=1) == labels


def print_kinds(results: list[MemberResult], config: Config, labels: np.ndarray) -> None:
    """Prints the members of each architecture by themselves."""
    kind_of = {spec.member_id: spec.architecture for spec in member_specs(config)}
    for kind in dict.fromkeys(config.members.architectures):
        members = [result for result in results if kind_of[result.member_id] == kind]
        if members:
            accuracies = [score(member.prediction.holdout_proba, labels).accuracy for member in members]
            seconds = ", ".join(f"{member.fit_seconds:.1f}" for member in members)
            speed = statistics.median(member.images_per_second for member in members)
            print(
                f"  {kind}: {', '.join(f'{accuracy:.3%}' for accuracy in accuracies)}; {seconds} s,"
                f" {speed:,.0f} images/s once compiled",
                flush=True,
            )


def print_comparison(correct: dict[str, np.ndarray]) -> None:
    first = next(iter(correct))
    for name, right in correct.items():
        low, high = accuracy_ci95(int(right.sum()), len(right))
        print(f"{name}: {(~right).sum()} errors in {len(right):,} rows, {right.mean():.3%} ({low:.3%} to {high:.3%})")
        if name != first:
            test = mcnemar(correct[first], right)
            print(
                f"    only {first} is right on {test.only_a_right} rows, only {name} on {test.only_b_right}:"
                f" McNemar's p = {test.p_value:.3g}"
            )


def train(rows: Rows, config: Config) -> tuple[list[MemberResult], float, int]:
    """Returns the members, the seconds from their first start to the last end, and how many trained at once.

    Prints each member as it ends.
    """
    from digits_ray.scheduling.trainer import ActorInputs, RetryPolicy, fit_members

    with tempfile.TemporaryDirectory() as folder, ray_session(config.resources):
        store, count = Store.at(folder), config.members.count
        plan = first_plan(config, count, rows.image_shape, len(rows.labels), lambda why, minutes: None)
        print(f"  {plan.reason}", flush=True)
        inputs = ActorInputs(put_dataset(rows), rows.num_classes, store, RunDirectory(store).write_probe())
        started = time.perf_counter()
        results = []
        for outcome in fit_members(member_specs(config), inputs, lambda unfinished: plan, RetryPolicy()):
            if isinstance(outcome, MemberResult):
                results.append(outcome)
                print(f"  member {outcome.member_id}: {outcome.fit_seconds:.1f} s on {outcome.device}", flush=True)
            else:
                print(f"  member {outcome.member_id}: {outcome.reason}", flush=True)
        return results, time.perf_counter() - started, plan.members_at_once


if __name__ == "__main__":
    main()
