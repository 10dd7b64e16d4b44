"""How close a member's training step comes to what the machine can multiply, for each preset's network.

    python benchmarks/throughput.py [--presets fast notebook] [--threads 1] [--repeats 5]

The peak is measured: the largest rate of square matrix products in the same precision and with as many threads, in
turn with the steps, so that a busy machine slows both. A trained image counts three times its forward operations
(forward, gradient of the weights, gradient of the input), convolutions and dense layers alone; the first layer has no
gradient of its input. Augmentation, activations, loss and optimizer count as time, not as operations.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from digits_ray.config import loading
from digits_ray.config.schema import Recipe
from digits_ray.training import device

SIDES = (1024, 2048, 4096)  # of the square matrices; the fastest of them is the peak
BATCHES = 30  # of one timed pass

Pass = Callable[[], float]  # operations or images a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["fast", "notebook"])
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    device.claim(device.DeviceResources(args.threads))
    policy = device.resolve_precision(args.precision)
    peaks = [matrix_product(side, policy) for side in SIDES]
    networks = {key: step(*key, policy) for key in wanted(args.presets)}
    passes = [(max(peak() for peak in peaks), [run() for run, _ in networks.values()]) for _ in range(args.repeats)]
    peak = statistics.median(best for best, _ in passes)
    print(
        f"{policy}, {args.threads} thread(s), {args.repeats} passes in turn; matrix products {peak / 1e9:.0f} GFLOP/s"
    )
    print("network    batch   images/s            MFLOP/image  GFLOP/s  of the peak")
    for number, ((architecture, recipe), (_, operations)) in enumerate(networks.items()):
        speeds = [found[number] for _, found in passes]
        shares = [operations * found[number] / best for best, found in passes]
        speed, spread = statistics.median(speeds), f"({min(speeds):.0f} to {max(speeds):.0f})"
        counts = f"{operations / 1e6:11.1f}  {operations * speed / 1e9:7.0f}  {statistics.median(shares):.0%}"
        print(f"{architecture:10} {recipe.batch_size:5}  {speed:6.0f} {spread:16} {counts}")


def wanted(presets: list[str]) -> list[tuple[str, Recipe]]:
    """Returns each different network and recipe of the presets once."""
    members = [loading.load_config(name, flags={"data.train": "any.csv"}).members for name in presets]
    return list(dict.fromkeys((name, member.recipe) for member in members for name in member.architectures))


def matrix_product(side: int, policy: str) -> Pass:
    import tensorflow as tf

    dtype = tf.bfloat16 if policy == "mixed_bfloat16" else tf.float32
    left, right = (tf.cast(tf.random.normal((side, side)), dtype) for _ in range(2))
    multiply = tf.function(lambda: tf.matmul(left, right))
    multiply()

    def run() -> float:
        start, repeats = time.perf_counter(), max(1, 2 * 4096**2 // side**2)
        for _ in range(repeats):
            multiply()
        return repeats * 2 * side**3 / (time.perf_counter() - start)

    return run


def step(architecture: str, recipe: Recipe, policy: str) -> tuple[Pass, int]:
    """Returns a pass of training batches, in images a second, and the operations of one image."""
    from digits_ray.training import compiled_step

    recipe = replace(recipe, precision="float32" if policy == "float32" else "bfloat16")  # whatever the preset asks for
    network = compiled_step(architecture, recipe, (28, 28), 10, BATCHES, 1).network
    random, rows = np.random.default_rng(0), BATCHES * recipe.batch_size
    images = random.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    labels = np.eye(10, dtype=np.float32)[random.integers(0, 10, rows)]
    fit = {"batch_size": recipe.batch_size, "shuffle": False, "verbose": 0}
    network.fit(images[: 2 * recipe.batch_size], labels[: 2 * recipe.batch_size], **fit)

    def run() -> float:
        start = time.perf_counter()
        network.fit(images, labels, **fit)
        return rows / (time.perf_counter() - start)

    return run, operations(network.layers[-1])


def operations(body: Any) -> int:
    """Counts the multiplications and additions of one trained image."""
    import keras

    forward = []
    for layer in body.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            *positions, _ = layer.output.shape[1:]
            forward.append(2 * int(np.prod(layer.kernel.shape)) * int(np.prod(positions)))
    return 3 * sum(forward) - forward[0]


if __name__ == "__main__":
    main()
