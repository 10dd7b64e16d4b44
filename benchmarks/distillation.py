"""Whether one network that was distilled is better than the members that taught it.

    python benchmarks/distillation.py [--train train.csv.gz --rows 4000] [--seeds 3] [--members 5] [--set KEY=VALUE ...]

For each seed a run and its distillation, by the product's own `run` and `distil`. Half of the labelled rows are held
out, so that there are rows enough to tell networks apart. A line a seed: errors of the members, of their ensemble and
of the distilled network, McNemar's p, and the speed of `predict`. With `--train`, `--rows` of its rows are taken, none
of them from the default holdout of seed 0, which is left for confirming what is chosen.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray import distil, run
from digits_ray.config import DataConfig, SplitConfig, loading
from digits_ray.data import TRAIN_ONLY, load, split
from digits_ray.runs import RunCallback


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        train = development_rows(options.train, options.rows, Path(folder)) if options.train else None
        for seed in range(options.seeds):
            flags = {
                "data.train": train,
                "out": f"{folder}/{seed}",
                "seed": seed,
                "members.count": options.members,
                "split.holdout": 0.5,
                "baselines.enabled": False,
            }
            print_seed(seed, loading.load_config("fast", flags=flags, settings=options.settings))


def development_rows(train: str, rows: int, folder: Path) -> str:
    """Writes some labelled rows to a file of their own; none is held out by a run of seed 0."""
    data = load(DataConfig(train))
    development = np.flatnonzero(split(data, SplitConfig(), 0) == TRAIN_ONLY)
    index = np.random.default_rng(0).choice(development, rows, replace=False)
    np.savez(folder / "train.npz", images=data.images[index], labels=np.array(data.classes)[data.labels[index]])
    return str(folder / "train.npz")


def print_seed(seed: int, config: Any) -> None:
    """Trains and distils, and prints a line."""
    run(config, [RunCallback()])
    told = distil(str(config.out), callbacks=[RunCallback()]).metrics["distillation"]
    ensemble, members, speed = told["against_ensemble"], told["against_members"], told["speed"]
    rows = ensemble["rows"]
    own = round(rows * (1 - ensemble["accuracy"] - ensemble["difference"]))
    errors = [round(rows * (1 - member["accuracy"])) for member in members]
    chance = ", ".join(f"{member['p_value']:.2f}" for member in members)
    print(
        f"seed {seed}: errors of {rows} rows: members {errors} (mean {np.mean(errors):.1f}), ensemble "
        f"{round(rows * (1 - ensemble['accuracy']))}, distilled {own}; p against each {chance}, against the ensemble "
        f"{ensemble['p_value']:.2f}; images/s: {speed['distilled']:.0f}, ensemble {speed['ensemble']:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
