"""What training once more on all rows gains, against the first networks and against k folds, on rows set aside before.

    python benchmarks/refit.py --train train.csv.gz --out FOLDER [--members 3] [--epochs N] [--set KEY=VALUE]

A tenth of the labelled rows is set aside and takes part in nothing. `digits_ray.run` gets the others with them as
labelled test rows: by a holdout of a tenth with `members.refit_on_all`, and by as many folds as there are members. The
networks of each way vote on the rows set aside. All is in FOLDER: interrupted, the same command goes on.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from digits_ray import run
from digits_ray.config import load_config
from digits_ray.config.schema import Config, DataConfig, SplitConfig
from digits_ray.data import TRAIN_ONLY, Data, load, split
from digits_ray.ensemble.metrics import accuracy_ci95, mcnemar
from digits_ray.storage.member_files import MemberFiles
from digits_ray.storage.run_directory import RunDirectory

SEED = 20  # of the rows set aside; the runs split the others by their own


@dataclass(frozen=True, eq=False)
class Way:
    """Networks that were trained in one way, on the rows set aside."""

    name: str
    rows: str  # that each network was trained on
    fit_seconds: float  # of all that the way trains
    correct: np.ndarray  # (rows,) bool, of the vote
    singles: np.ndarray  # (networks,) errors of each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for digits-ray run")
    args = parser.parse_args()
    data = load(DataConfig(train=args.train))
    set_aside = split(data, SplitConfig(), SEED) != TRAIN_ONLY
    report(list(ways(args, data, set_aside)))


def config_of(args: argparse.Namespace, way: str, **flags: object) -> Config:
    """The recipe for files of the user, though arrays are given."""
    given = {"members.count": args.members, "members.recipe.epochs": args.epochs, **flags}
    config = load_config(
        "fast", flags={"data.train": args.train, "baselines.enabled": False, **given}, settings=args.set
    )
    return replace(config, data=DataConfig(), out=str(Path(args.out, way)))


def ways(args: argparse.Namespace, data: Data, set_aside: np.ndarray) -> Iterator[Way]:
    """Trains each way, or what is missing of it."""
    train = data.images[~set_aside], data.labels[~set_aside]
    truth, test = data.labels[set_aside], (data.images[set_aside], data.labels[set_aside])
    held_out = config_of(args, "holdout", **{"members.refit_on_all": True})
    metrics = run(held_out, train=train, test=test).metrics
    directory, members = RunDirectory.existing(str(held_out.out)), metrics["members"]
    first, refits = (sum(fit["fit_seconds"] for fit in fits) for fits in (members, [m["refit"] for m in members]))
    rows = f"{metrics['data']['train_rows']:,}"
    yield way_of("holdout of a tenth", rows, first, truth, directory.members, args.members)
    yield way_of("… trained once more", f"{len(train[0]):,}", first + refits, truth, directory.refits, args.members)
    folds = config_of(args, "kfold", **{"split.scheme": "kfold", "split.folds": args.members})
    seconds = sum(member["fit_seconds"] for member in run(folds, train=train, test=test).metrics["members"])
    rows = f"{len(train[0]) * (args.members - 1) // args.members:,}"
    directory = RunDirectory.existing(str(folds.out))
    yield way_of(f"{args.members} folds", rows, seconds, truth, directory.members, args.members)


def way_of(name: str, rows: str, seconds: float, truth: np.ndarray, files: MemberFiles, members: int) -> Way:
    """Lets the networks of a way vote; `truth` is (rows,) int."""
    proba = [files.prediction(number).test_proba for number in range(members)]
    singles = np.array([(each.argmax(axis=1) != truth).sum() for each in proba])
    return Way(name, rows, seconds, np.mean(proba, axis=0).argmax(axis=1) == truth, singles)


def report(compared: list[Way]) -> None:
    """Prints a line for each way, and how it differs from the first."""
    base = compared[0]
    for way in compared:
        errors, rows = int((~way.correct).sum()), len(way.correct)
        low, high = accuracy_ci95(rows - errors, rows)
        single = f"{way.singles.mean():.1f} ± {way.singles.std(ddof=1):.1f} (n = {len(way.singles)})"
        print(f"{way.name}, each network on {way.rows} rows, {way.fit_seconds:.0f} s of training in all:")
        interval = f"accuracy {100 * low:.2f} to {100 * high:.2f} %"
        print(f"    {errors} errors of {rows:,} ({interval}); single networks {single}")
        if way is not base:
            test = mcnemar(base.correct, way.correct)
            only = f"{test.only_a_right} rows only the first is right, {test.only_b_right} only this"
            print(f"    against the first: {only}, McNemar's p = {test.p_value:.2g}")


if __name__ == "__main__":
    main()
