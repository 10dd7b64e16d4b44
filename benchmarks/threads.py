"""What the default plan rests on: one member on every core, or one member on all of them.

    python benchmarks/threads.py [--architecture compact] [--batch 64] [--repeats 3]

Each turn trains the same number of images: once by as many processes of one thread as there are cores, side by side,
once by one process of as many threads. Imports and compilation are left out: every process compiles, waits for the
others, then trains for the same number of seconds.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from typing import Any

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="compact")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    pairs = [(images_per_second(args, cores, 1), images_per_second(args, 1, cores)) for _ in range(args.repeats)]
    many, one = zip(*pairs, strict=True)
    ratios = [first / second for first, second in pairs]
    print(f"{args.architecture}, batch {args.batch}, {cores} cores, {args.repeats} pairs in turn; images/s in all")
    print(f"{cores} members of 1 thread   {statistics.median(many):7.0f}  ({min(many):.0f} to {max(many):.0f})")
    print(f"1 member of {cores} threads  {statistics.median(one):7.0f}  ({min(one):.0f} to {max(one):.0f})")
    print(f"ratio                   {statistics.median(ratios):7.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")


def images_per_second(args: argparse.Namespace, processes: int, threads: int) -> float:
    """Returns the images that all processes together train in a second."""
    spawn = multiprocessing.get_context("spawn")
    ready, speeds = spawn.Barrier(processes), spawn.Queue()
    started = [spawn.Process(target=train, args=(args, threads, ready, speeds)) for _ in range(processes)]
    for process in started:
        process.start()
    total = sum(speeds.get() for _ in started)
    for process in started:
        process.join()
    return total


def train(args: argparse.Namespace, threads: int, ready: Any, speeds: Any) -> None:
    """Trains one network for some seconds, in a process of its own."""
    from digits_ray.training import device

    device.claim(device.DeviceResources(threads))
    import keras

    from digits_ray.training import architectures
    from digits_ray.training.augmentation import RandomAffine

    keras.config.set_dtype_policy(device.resolve_precision("auto"))
    affine, body = RandomAffine(10, 0.1, 0.1, seed=1), architectures.build(args.architecture, 28, 28, 10)
    network = keras.Sequential([keras.Input((28, 28), dtype="uint8"), affine, body])
    network.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (args.batch * 20, 28, 28), dtype=np.uint8)
    labels = random.integers(0, 10, len(images)).astype(np.int32)
    fit = {"batch_size": args.batch, "verbose": 0}
    network.fit(images, labels, **fit)
    ready.wait()
    began, trained = time.perf_counter(), 0
    while time.perf_counter() - began < args.seconds:
        network.fit(images, labels, **fit)
        trained += len(images)
    speeds.put(trained / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
