"""Which operations make a stack of members fast: images a second of one process that trains several members.

    python benchmarks/stacks.py [--train train.csv.gz] [--preset fast] [--seconds 145]
    python benchmarks/stacks.py --cpu      proves the script: tiny images, a network of one convolution

Needs JAX and Keras, no TensorFlow and no Ray. Each row is printed as soon as it is measured: an epoch's calls for two
seconds, after the first, which compiles. The kinds, four members each, then the fastest with other numbers of members:

    alone     one member, as members train by themselves
    separate  stacked, but for convolutions, which are one for each member: what the product does
    grouped   stacked; what `jax.vmap` makes of a convolution
    gather    stacked; convolutions are a gather of shifted slices and one batched matrix product
    unrolled  not stacked: the members' steps one after another in the same program
"""

import argparse
import os
import time
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from digits_ray.config import loading
from digits_ray.config.schema import DataConfig
from digits_ray.training import device

START = time.perf_counter()
MEASURED_SECONDS = 2.0
MEMBERS = 4
KINDS = ("separate", "grouped", "gather", "unrolled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", help="Kaggle's train.csv or train.csv.gz; without it, noise")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--members", type=int, nargs="*", default=[2, 8, 10], help="of the fastest kind")
    parser.add_argument("--seconds", type=float, default=145, help="after which nothing more is begun")
    parser.add_argument("--cpu", action="store_true")
    args = parser.parse_args()
    device.claim(device.DeviceResources(os.cpu_count() or 1, 0.0 if args.cpu else 1.0, backend="jax"))
    if args.cpu:
        from gpu_parts import prepare_cpu

        prepare_cpu()
    bench = Bench(args)
    print(f"{device.name()}; {time.perf_counter() - START:.0f} s until the rows are on it", flush=True)
    bench.tell("alone", 1)
    speeds = {kind: bench.tell(kind, MEMBERS) for kind in args.kinds}
    for members in args.members:
        bench.tell(max(speeds, key=lambda kind: speeds[kind]), members)


class Bench:
    """What all kinds train: the preset's recipe on the same rows."""

    def __init__(self, args: argparse.Namespace) -> None:
        from digits_ray.training.compiled import compiled_step

        changes: dict[str, Any] = {"members.recipe.backend": "jax", "data.train": "any.csv"}
        changes |= {"members.recipe.batch_size": 32} if args.cpu else {}
        members = loading.load_config(args.preset, flags=changes).members
        images, labels = read_rows(args)
        self.batch_size, self.batches = members.recipe.batch_size, len(images) // members.recipe.batch_size
        build = partial(
            compiled_step, members.architectures[0], members.recipe, images.shape[1:], int(labels.max()) + 1
        )
        self.networks = {stacked: build(self.batches, members.recipe.epochs, stacked) for stacked in (False, True)}
        self.rows = on_device(images, labels)
        self.end, self.longest = START + args.seconds, 0.0

    def tell(self, kind: str, members: int) -> float:
        """Prints and returns images a second; 0 where it fails or there is no time left."""
        began = time.perf_counter()
        if self.end - began < self.longest:
            print(f"{kind:9} {members} members  left out: {self.end - began:.0f} s left", flush=True)
            return 0.0
        try:
            speed, text = self.measure(kind, members)
        except Exception as error:
            print(f"{kind:9} {members} members  {type(error).__name__}: {str(error)[:300]}", flush=True)
            return 0.0
        self.longest = max(self.longest, time.perf_counter() - began)
        print(f"{kind:9} {members} members  {speed:9,.0f} images/s; {text}", flush=True)
        return speed

    def measure(self, kind: str, members: int) -> tuple[float, str]:
        """Returns images a second, and what else is of interest."""
        began = time.perf_counter()
        with mock.patch.object(*convolution_op(kind)):
            loop, state, order = self.prepared(kind, members)
            state = finished(loop.trained(state, self.rows, order))
        text = f"compiled in {time.perf_counter() - began:.1f} s; {losses(state, kind)}"
        begin, calls = time.perf_counter(), 0
        while time.perf_counter() - begin < MEASURED_SECONDS:
            state, calls = finished(loop.trained(state, self.rows, order)), calls + 1
        return calls * order.size / (time.perf_counter() - begin), text

    def prepared(self, kind: str, members: int) -> tuple[Any, Any, np.ndarray]:
        """Returns the loop, the state of its members and an epoch's order of rows for each."""
        from digits_ray.training.jax_loop import JaxLoop
        from digits_ray.training.stack_loop import StackLoop, stack_states

        compiled = self.networks[kind not in ("alone", "unrolled", "grouped")]
        classes = {"alone": JaxLoop, "unrolled": unrolled_loop()}
        loop = classes.get(kind, StackLoop)(compiled.network, compiled.num_classes)
        states, orders = [], []
        for number in range(members):
            compiled.start(seed=number)
            states.append(loop.read_state())
            order = np.random.default_rng(number).permutation(len(self.rows.row_of)).astype(np.int32)
            orders.append(order[: self.batches * self.batch_size].reshape(self.batches, self.batch_size))
        if kind == "alone":
            return loop, states[0], orders[0]
        if kind == "unrolled":
            return loop, states, np.stack(orders, axis=1)
        return loop, stack_states(states), np.stack(orders)


def finished(state: Any) -> Any:
    import jax

    return jax.block_until_ready(state)


def losses(state: Any, kind: str) -> str:
    """Says what the first epoch's losses are, which no operations may change but by rounding."""
    states = state if kind == "unrolled" else [state]
    means = [np.ravel(np.asarray(metrics[0]) / np.asarray(metrics[1])) for *_, metrics in states]
    return "losses " + " ".join(f"{mean:.4f}" for mean in np.concatenate(means))


def read_rows(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    from gpu import noise, tiny_rows

    if args.train and not args.cpu:
        from digits_ray import data

        loaded = data.load(DataConfig(train=args.train))
        return loaded.images, loaded.labels
    rows = tiny_rows() if args.cpu else noise()
    return rows.images, rows.labels


def on_device(images: np.ndarray, labels: np.ndarray) -> Any:
    import jax

    from digits_ray.training.device_loop import DeviceRows

    positions = np.arange(len(labels), dtype=np.int32)
    return DeviceRows(jax.device_put(images), jax.device_put(labels.astype(np.int32)), positions)


def unrolled_loop() -> Any:
    """Returns a loop whose state is a list of states, and whose order is (batches, members, batch size)."""
    import jax

    from digits_ray.training.jax_loop import JaxLoop

    class UnrolledLoop(JaxLoop):
        def _train_stretch(self, state: Any, images: Any, labels: Any, order: Any) -> Any:
            train = super()._train_stretch

            def train_batch(states: Any, rows: Any) -> tuple[Any, None]:
                return [train(one, images, labels, rows[number][None]) for number, one in enumerate(states)], None

            return jax.lax.scan(train_batch, state, order)[0]

    return UnrolledLoop


def convolution_op(kind: str) -> tuple[Any, str, Any]:
    """Returns the class, the name of its method, and what a kind has instead of it."""
    from digits_ray.training.stacked_convolution import StackedConv2D

    return StackedConv2D, "convolution_op", gather if kind == "gather" else StackedConv2D.convolution_op


def gather(layer: Any, images: Any, kernel: Any) -> Any:
    """The convolution as one matrix product of what the kernel covers at each position."""
    import jax
    import jax.numpy as jnp
    import keras

    sides = kernel.shape[:2]
    pads = jax.lax.padtype_to_pads(images.shape[1:3], sides, layer.strides, layer.padding.upper())
    padded = jnp.pad(images, [(0, 0), *pads, (0, 0)])
    rows, columns = (
        [slice(start, size - side + start + 1, stride) for start in range(side)]
        for size, side, stride in zip(padded.shape[1:3], sides, layer.strides, strict=True)
    )
    patches = jnp.concatenate([padded[:, row, column] for row in rows for column in columns], axis=-1)
    return patches @ keras.ops.convert_to_tensor(kernel).astype(images.dtype).reshape(-1, kernel.shape[-1])


if __name__ == "__main__":
    main()
