"""Members' training against a plain Keras loop of the same network, batch and precision, in turn, one process.

    python benchmarks/training.py [--architecture notebook] [--batch 64] [--repeats 5]

A is what a competent user writes by hand: the arrays in memory, `architectures.fit`, the same augmentation layer. B is
`fit_member` with everything it adds: seeded order, progress, history, a saved epoch each time, the model file. Both run
the same number of epochs after a fit that is not counted (it compiles).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

from digits_ray.config import MemberSpec, Recipe
from digits_ray.data import Rows
from digits_ray.storage.checkpoints import SavedEpochs
from digits_ray.storage.store import Store
from digits_ray.training import device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="notebook")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    device.claim(device.DeviceResources(args.threads))
    rows = made_rows(args.rows)
    recipe = Recipe(epochs=args.epochs, batch_size=args.batch, schedule="constant")
    spec = MemberSpec(0, args.architecture, 1, 0, recipe)
    plain = _plain_loop(rows, spec)
    _member(rows, spec)  # compiles, as the plain loop has
    pairs = [(plain(), _member(rows, spec)) for _ in range(args.repeats)]
    _tell(args, recipe, pairs)


def made_rows(count: int) -> Rows:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = random.integers(0, 10, count).astype(np.int32)
    folds, blocks = np.full(count, -1, np.int16), np.zeros(count, np.int32)
    return Rows(images, labels, np.arange(count), folds, blocks, 10)


def _plain_loop(rows: Rows, spec: MemberSpec) -> Callable[[], float]:
    import keras

    from digits_ray.training import architectures
    from digits_ray.training.augmentation import RandomAffine

    keras.config.set_dtype_policy(device.resolve_precision(spec.recipe.precision))
    affine = RandomAffine(10, 0.1, 0.1, seed=1)
    network = keras.Sequential(
        [keras.Input((28, 28), dtype="uint8"), affine, architectures.build(spec.architecture, 28, 28, 10)]
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    fit = {"batch_size": spec.recipe.batch_size, "verbose": 0}
    network.fit(rows.images[: 2 * spec.recipe.batch_size], rows.labels[: 2 * spec.recipe.batch_size], **fit)

    def run() -> float:
        start = time.perf_counter()
        network.fit(rows.images, rows.labels, epochs=spec.recipe.epochs, **fit)
        return len(rows.images) * spec.recipe.epochs / (time.perf_counter() - start)

    return run


def _member(rows: Rows, spec: MemberSpec) -> float:
    """Returns images/s of a whole fit, its start and its saved epochs included."""
    from digits_ray.training.fit import fit_member

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fit_member(spec, rows, SavedEpochs(Store.at(folder), 0, "01-benchmark"))
        return len(rows.images) * spec.recipe.epochs / (time.perf_counter() - start)


def _tell(args: argparse.Namespace, recipe: Recipe, pairs: list[tuple[float, float]]) -> None:
    plain, ours = zip(*pairs, strict=True)
    ratios = [member / loop for loop, member in pairs]
    precision = device.resolve_precision(recipe.precision)
    print(f"{args.architecture}, batch {args.batch}, {precision}, {args.threads} thread(s), {len(pairs)} pairs in turn")
    print(f"plain Keras loop  {statistics.median(plain):7.0f} images/s  ({min(plain):.0f} to {max(plain):.0f})")
    print(f"fit_member        {statistics.median(ours):7.0f} images/s  ({min(ours):.0f} to {max(ours):.0f})")
    print(f"ratio             {statistics.median(ratios):7.3f}  ({min(ratios):.3f} to {max(ratios):.3f}); 1 is as fast")


if __name__ == "__main__":
    main()
