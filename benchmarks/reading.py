"""Reading a Kaggle CSV: `load` and `put_dataset`, to a Ray Dataset that actors can use, against `pandas.read_csv`.

    python benchmarks/reading.py [--train train.csv.gz] [--repeats 5]

The two take turns, so that a busy machine slows both. Without --train: 42,000 made-up images of 28 × 28,
with about as many blank pixels as handwritten digits have.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from digits_ray.config.schema import DataConfig
from digits_ray.data import TRAIN_ONLY, combine_rows, load, put_dataset

ROWS, PIXELS = 42_000, 784  # as Kaggle's train.csv
INK = 0.19  # part of the pixels of handwritten digits that are not 0


def main() -> None:
    options = parsed_options()
    start_ray()
    with tempfile.TemporaryDirectory() as folder:
        train = options.train or synthetic_csv(Path(folder) / "train.csv")
        measure(train, options.repeats)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", help="a labelled .csv or .csv.gz")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def start_ray() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    import ray

    ray.init(address="local", include_dashboard=False, log_to_driver=False)


def synthetic_csv(path: Path) -> str:
    """Writes labelled noise in Kaggle's layout."""
    random = np.random.default_rng(0)
    values = random.integers(1, 256, (ROWS, PIXELS)) * (random.random((ROWS, PIXELS)) < INK)
    frame = pd.DataFrame(values.astype(np.uint8), columns=[f"pixel{i}" for i in range(PIXELS)])
    frame.insert(0, "label", random.integers(0, 10, ROWS))
    frame.to_csv(path, index=False)
    return str(path)


def measure(train: str, repeats: int) -> None:
    """Prints each pair of times in seconds, and the median of their ratios."""
    ours(train)  # imports, and Ray's first worker process
    pairs = []
    for turn in range(1, repeats + 1):
        pairs.append((seconds(ours, train), seconds(pandas, train)))
        print(f"{turn}: digits_ray {pairs[-1][0]:.2f} s, pandas {pairs[-1][1]:.2f} s")
    ratios = [a / b for a, b in pairs]
    print(f"digits_ray / pandas: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"(n = {repeats}, {os.cpu_count()} cores, {train})")


def ours(path: str) -> object:
    """From the file to a Ray Dataset that is ready for actors."""
    data = load(DataConfig(train=path))
    return put_dataset(combine_rows(data, np.full(len(data.labels), TRAIN_ONLY, np.int16)))


def pandas(path: str) -> object:
    """From the file to a data frame."""
    return pd.read_csv(path, dtype="uint8")


def seconds(work: Callable[[str], object], path: str) -> float:
    start = time.perf_counter()
    work(path)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
