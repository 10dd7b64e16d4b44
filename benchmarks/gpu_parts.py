"""The parts of benchmarks/gpu.py, each for a process of its own."""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from digits_ray.config import MemberSpec, loading, member_specs
from digits_ray.data import Rows
from digits_ray.ensemble import MemberResult
from digits_ray.progress import MemberStatus
from digits_ray.runs import RunCallback
from digits_ray.training import device

UNROLLED = (2, 4)  # batches in each turn of the compiled loop
LEAST_SECONDS = 10.0  # that a part needs to say anything
MOST_MEMBERS = 20  # of the part `accuracy`, within MOST_SECONDS
MOST_SECONDS = 30.0


def print_result(part: str, what: str, value: str) -> None:
    print(f"{part:9} {what:38} {value}", flush=True)


def read_rows(folder: Path) -> Rows:
    with np.load(folder / "rows.npz") as saved:
        columns = {name: saved[name] for name in saved.files}
    return Rows(**{**columns, "num_classes": int(columns["num_classes"])})


def prepare_cpu() -> None:
    """Trains in long calls as on a GPU, a network that XLA compiles in seconds for a CPU."""
    from keras import layers

    from digits_ray.training import architectures

    architectures.BUILDERS["deotte_plain"] = lambda side: [
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.2),
    ]
    device.trains_in_long_calls = lambda image_bytes: True


@dataclass
class Timed:
    """A fitted member and when it came to what."""

    result: Any
    first_call: float  # seconds until the first call into the backend had ended: it compiles, unless it has before
    training: float  # seconds from there to the last call
    after: float  # seconds from there to the end: prediction and model file
    states: dict[int, bytes]


@dataclass
class States:
    """Saved epochs in memory."""

    states: dict[int, bytes] = field(default_factory=dict)
    resume_from: bytes | None = None

    def candidates(self) -> Iterator[bytes]:
        return iter([self.resume_from] if self.resume_from else [])

    def save(self, epoch: int, state: bytes) -> None:
        self.states[epoch] = state


class Bench:
    """The members that a part trains."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Claims this process's part of the GPU, and reads the rows."""
        threads, gpus = max(1, (os.cpu_count() or 1) // args.sharing[0]), 0.0 if args.cpu else 1 / args.sharing[0]
        device.claim(device.DeviceResources(threads, gpus, backend="jax"))
        if device.name() == "cpu" and not args.cpu:
            raise SystemExit("JAX finds no GPU; --cpu proves the script without one")
        self.startup = time.time() - args.started
        if args.cpu:
            prepare_cpu()
        self.args, self.rows, self.end = args, read_rows(Path(args.folder)), args.started + args.seconds
        changes: dict[str, Any] = {"data.train": "any.csv", "members.count": 100, "members.recipe.backend": "jax"}
        if args.cpu:
            changes |= {"members.recipe.epochs": 4, "members.recipe.min_steps": 0, "members.recipe.batch_size": 32}
        config = loading.load_config(args.preset, flags=changes)
        self.specs: list[MemberSpec] = member_specs(config)

    def fit(self, number: int, resume_from: bytes | None = None, **recipe: Any) -> Timed:
        from digits_ray.training import fit_member

        spec = self.specs[number]
        spec = replace(spec, fold=0, recipe=replace(spec.recipe, **recipe))
        states, times = States(resume_from=resume_from), [time.perf_counter()]
        result = fit_member(spec, self.rows, states, lambda progress: times.append(time.perf_counter()))
        begin, first, last, end = times[0], times[1], times[-1], time.perf_counter()
        return Timed(result, first - begin, last - first, end - last, states.states)

    def accuracy(self, result: Any) -> float:
        """Percent of the rows held out."""
        labels = self.rows.labels[self.rows.holdout_index(0)]
        return 100 * float(np.mean(result.prediction.holdout_proba.argmax(1) == labels))

    def seconds_left(self) -> float:
        return self.end - time.time()


def cold(args: argparse.Namespace) -> None:
    bench = Bench(args)
    import jax
    import jaxlib
    import keras

    versions = f"JAX {jax.__version__}, jaxlib {jaxlib.__version__}, Keras {keras.__version__}"
    print_result("cold", "device", f"{device.name()}; {versions}")
    print_result("cold", "process, imports and device", f"{bench.startup:.1f} s")
    with timed_steps() as seconds:
        first = bench.fit(0)
    tell_member("cold", "1st member", bench, first)
    print_result("cold", "1st member, seconds in", in_words(seconds))
    with timed_steps() as seconds:
        second = bench.fit(1)
    tell_member("cold", "2nd member", bench, second)
    print_result("cold", "2nd member, seconds in", in_words(seconds))
    memory = jax.devices()[0].memory_stats() or {}
    peak, limit = memory.get("peak_bytes_in_use", 0), memory.get("bytes_limit", 0)
    print_result("cold", "memory of tensors, at most, of limit", f"{peak / 2**30:.2f} of {limit / 2**30:.1f} GiB")
    tell_arithmetic(bench, second.result.images_per_second)


@contextmanager
def timed_steps() -> Iterator[dict[str, float]]:
    """Adds up the seconds that members spend beside training."""
    from digits_ray.training import fit
    from digits_ray.training.compiled import CompiledNetwork
    from digits_ray.training.jax_loop import JaxLoop

    seconds: dict[str, float] = {}

    def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            result = function(*args, **options)
            seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - begin
            return result

        return call

    with (
        mock.patch.object(fit, "checked_step", timed("network and its check", fit.checked_step)),
        mock.patch.object(CompiledNetwork, "start", timed("first weights", CompiledNetwork.start)),
        mock.patch.object(JaxLoop, "_program", timed("program", JaxLoop._program)),
        mock.patch.object(CompiledNetwork, "snapshot", timed("copies of epochs", CompiledNetwork.snapshot)),
        mock.patch.object(fit, "_predict", timed("prediction", fit._predict)),
        mock.patch.object(fit, "model_file", timed("model file", fit.model_file)),
    ):
        yield seconds


def in_words(seconds: dict[str, float]) -> str:
    return ", ".join(f"{step} {spent:.2f}" for step, spent in seconds.items())


def tell_member(part: str, which: str, bench: Bench, member: Timed) -> None:
    result = member.result
    begin = f"{member.first_call:.1f} s to the end of the 1st call, {member.training:.2f} s of training after it"
    print_result(part, f"{which}, parts", f"{begin}, {member.after:.1f} s of prediction and model file")
    print_result(part, f"{which}, while it trains", f"{result.images_per_second:,.0f} images/s, {result.precision}")
    print_result(part, f"{which}, accuracy", f"{bench.accuracy(result):.2f} %, loss {result.history[-1]['loss']:.4f}")


def tell_arithmetic(bench: Bench, images_per_second: float) -> None:
    from throughput import operations

    from digits_ray.training import architectures

    spec = bench.specs[0]
    height, width, *channels = bench.rows.image_shape
    per_image = operations(architectures.build(spec.architecture, height, width, bench.rows.num_classes, *channels))
    peak = matrix_rate(256 if bench.args.cpu else 8192)
    print_result("cold", "operations of a trained image", f"{per_image / 1e6:.1f} MFLOP")
    print_result("cold", "bfloat16 matrix product, measured", f"{peak / 1e12:.2f} TFLOP/s")
    print_result("cold", "part of it that training uses", f"{per_image * images_per_second / peak:.1%}")


def matrix_rate(side: int, repeats: int = 50) -> float:
    """Returns operations a second of square matrix products in bfloat16."""
    import jax

    factor = jax.random.normal(jax.random.key(0), (side, side), "bfloat16") / side**0.5
    multiply = jax.jit(lambda left: jax.lax.fori_loop(0, repeats, lambda _, product: product @ factor, left))
    multiply(factor).block_until_ready()
    begin = time.perf_counter()
    multiply(factor).block_until_ready()
    return repeats * 2 * side**3 / (time.perf_counter() - begin)


def warm(args: argparse.Namespace) -> None:
    bench = Bench(args)
    print_result("warm", "process, imports and device", f"{bench.startup:.1f} s")
    with timed_steps() as seconds:
        member = bench.fit(0)
    tell_member("warm", "1st member", bench, member)
    print_result("warm", "1st member, seconds in", in_words(seconds))
    middle = len(member.result.history) // 2
    resumed = bench.fit(0, resume_from=member.states[middle])
    print_result("warm", f"resumed from epoch {middle}", difference(member, resumed))
    print_result("warm", "the same member once more", difference(member, bench.fit(0)))


def difference(member: Timed, other: Timed) -> str:
    """Says how far two members' predictions of the rows held out are apart."""
    proba, others = (np.asarray(one.result.prediction.holdout_proba) for one in (member, other))
    if np.array_equal(proba, others):
        return "the same bits"
    classes = int((proba.argmax(1) != others.argmax(1)).sum())
    return f"probabilities at most {abs(proba - others).max():.1e} apart, {classes} rows in another class"


def sharing(args: argparse.Namespace) -> None:
    """Trains two members, begun when all processes are ready."""
    bench = Bench(args)
    shared, process = Path(args.folder) / f"sharing-{args.sharing[0]}-1", os.getpid()
    bench.fit(0)
    (shared / f"ready-{process}").touch()
    while not (shared / "go").exists():
        time.sleep(0.005)
    begin, numbers = time.time(), (1, 2)
    speeds = [bench.fit(number).result.images_per_second for number in numbers]
    unfinished = shared / f"unfinished-{process}"
    unfinished.write_text(f"{begin} {time.time()} {len(numbers)} {statistics.mean(speeds)}")
    unfinished.rename(shared / f"done-{process}")


def stacks(args: argparse.Namespace) -> None:
    """Trains one stack by the product's own function."""
    bench, members = Bench(args), args.stacks[0]
    from digits_ray.training.stack import fit_stack

    specs = [replace(spec, fold=0) for spec in bench.specs[:members]]
    times = [time.perf_counter()]
    with timed_steps() as seconds:
        outcomes = fit_stack(
            specs, bench.rows, [States() for _ in specs], lambda progress: times.append(time.perf_counter())
        )
    for error in [outcome for outcome in outcomes if isinstance(outcome, Exception)][:1]:
        raise error
    end, results = time.perf_counter(), [outcome for outcome in outcomes if isinstance(outcome, MemberResult)]
    speeds = [result.images_per_second for result in results]
    first, after = f"{times[1] - times[0]:.1f} s to the end of the 1st call", f"{(end - times[0]) / members:.1f} s"
    print_result("stacks", f"{members} members, while they train", f"{sum(speeds):,.0f} images/s in all")
    print_result("stacks", f"{members} members, parts", f"{first}; {after} a member, all in")
    print_result("stacks", f"{members} members, seconds in", in_words(seconds))
    scores = ", ".join(f"{bench.accuracy(result):.2f} %" for result in results)
    print_result("stacks", f"{members} members, accuracy", scores)


class Moments(RunCallback):
    """Prints when a run came to what."""

    def __init__(self, started: float) -> None:
        self.started, self.printed = started, set[str]()

    def print_first(self, what: str, note: str = "") -> None:
        if what not in self.printed:
            self.printed.add(what)
            print_result("command", f"to {what}", f"{time.time() - self.started:.1f} s{note}")

    def on_data_loaded(self, data: Any, check: Any, folds: np.ndarray) -> None:
        self.print_first("data read")

    def on_plan(self, plan: Any, members: int, missing: int, path: str) -> None:
        self.print_first("plan", f": {plan.reason}")

    def on_member_progress(self, statuses: list[MemberStatus]) -> None:
        if any(status.state == "training" for status in statuses):
            self.print_first("processes ready")
        if any(status.progress and status.progress.epoch > 0 for status in statuses):
            self.print_first("first call trained")

    def on_member_end(self, member_id: int, record: Any, metrics: Any) -> None:
        self.print_first("first member")

    def on_member_failure(self, failure: Any) -> None:
        print_result("command", f"member {failure.member_id} failed", str(failure)[:300])

    def on_training_end(self, metrics: Any) -> None:
        ensemble = metrics["ensemble"]
        score = (ensemble["holdout"] or {}).get("accuracy", float("nan"))
        self.print_first("last member", f"; ensemble of {ensemble['members_used']}: {100 * score:.2f} %")

    def on_run_end(self) -> None:
        self.print_first("report")


def command(args: argparse.Namespace) -> None:
    from digits_ray import run

    flags = {"members.count": args.members, "out": f"{args.folder}/run", "members.recipe.backend": "jax"}
    flags |= {"baselines.enabled": False} | ({"data.train": args.train} if args.train else {})
    run(loading.load_config("smoke" if args.cpu else args.preset, flags=flags), callbacks=[Moments(args.started)])


def keras_loop(args: argparse.Namespace) -> None:
    bench = Bench(args)
    with mock.patch.object(device, "trains_in_long_calls", lambda image_bytes: False):
        tell_member("keras", "3 epochs by Keras's fit", bench, bench.fit(0, epochs=3, min_steps=0))


def unroll(args: argparse.Namespace) -> None:
    bench = Bench(args)
    from digits_ray.training import compiled_step, jax_loop

    for batches in UNROLLED:
        if bench.seconds_left() < LEAST_SECONDS:
            return
        jax_loop.UNROLL = batches
        compiled_step.cache_clear()
        tell_member("unroll", f"{batches} batches a turn", bench, bench.fit(0))


def accuracy(args: argparse.Namespace) -> None:
    bench, found, slowest = Bench(args), list[float](), 0.0
    end = min(bench.end, time.time() + MOST_SECONDS)
    while len(found) < MOST_MEMBERS and end - time.time() > LEAST_SECONDS / 2 + 2 * slowest:
        begin = time.perf_counter()
        found.append(bench.accuracy(bench.fit(len(found)).result))
        slowest = max(slowest, time.perf_counter() - begin)
    spread = statistics.stdev(found) if len(found) > 1 else float("nan")
    held_out = len(bench.rows.holdout_index(0))
    print_result(
        "accuracy", "single members", f"{statistics.mean(found):.3f} ± {spread:.3f} % (n = {len(found)}) of {held_out}"
    )


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "cold": cold,
    "warm": warm,
    "sharing": sharing,
    "stacks": stacks,
    "command": command,
    "keras": keras_loop,
    "unroll": unroll,
    "accuracy": accuracy,
}
