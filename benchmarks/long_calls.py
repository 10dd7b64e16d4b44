"""Long calls on TensorFlow against Keras's own loop: the same member, in turn, in one process.

    python benchmarks/long_calls.py [--architecture dense|NAME] [--side 28] [--rows 16384] [--epochs 4] [--repeats 5]

`dense` is a network of a single layer. Figures are images a second of whole fits, their start and model file included;
the first fit of each kind, which traces, is not counted. The losses must be the same bits.
"""

import argparse
import statistics
import time
from unittest import mock

import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import Rows
from digits_ray.training import device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="dense")
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--rows", type=int, default=16384)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    device.claim(device.DeviceResources(threads=1))
    fits = [(fit(args, long_calls=False), fit(args, long_calls=True)) for _ in range(args.repeats + 1)][1:]
    assert len({loss for pair in fits for _, loss in pair}) == 1, "the losses differ"
    for (keras_speed, _), (speed, _) in fits:
        print(f"Keras's loop {keras_speed:8,.0f} images/s, long calls {speed:8,.0f}: {speed / keras_speed:.2f} x")
    ratios = [long_calls[0] / keras_loop[0] for keras_loop, long_calls in fits]
    print(f"{args.architecture}, {args.side}×{args.side}: median {statistics.median(ratios):.2f} x (n = {len(ratios)})")


def fit(args: argparse.Namespace, long_calls: bool) -> tuple[float, float]:
    """Returns images a second and the last loss."""
    from keras import layers

    from digits_ray.training import architectures, fit_member

    architectures.BUILDERS["dense"] = lambda side: [layers.Flatten()]
    recipe = Recipe(epochs=args.epochs, batch_size=128, schedule="constant", min_steps=0)
    with mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: long_calls):
        started = time.perf_counter()
        fitted = fit_member(MemberSpec(0, args.architecture, 1, 0, recipe), made_rows(args.rows, args.side))
        return args.rows * args.epochs / (time.perf_counter() - started), fitted.history[-1]["loss"]


def made_rows(count: int, side: int) -> Rows:
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (count, side, side), dtype=np.uint8), random.integers(0, 10, count)
    folds, blocks = np.full(count, -1, np.int16), np.zeros(count, np.int32)
    return Rows(images, labels.astype(np.int32), np.arange(count), folds, blocks, 10)


if __name__ == "__main__":
    main()
