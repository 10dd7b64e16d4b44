"""What `Run.predict_proba` takes: all members as one program, against each by itself in Keras's own `predict`.

    python benchmarks/predict.py [--architecture deotte_plain] [--members 10] [--rows 28000] [--rounds 3]
                                 [--backend tensorflow] [--batches 32 64 128 256 512]

The members are untrained, on 28×28 pixels; weights do not change the speed. First the program by itself at several
batches; then both ways in turn, each in a process of its own from a finished run's directory to the probabilities:
import, loading and compiling included, and once more in the same process. Another program on the machine spoils it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray.config import load_config, member_specs
from digits_ray.ensemble import MemberResult, Prediction
from digits_ray.storage import RunDirectory

CLASSES, SIDE, KERAS_BATCH = 10, 28, 512
DATA = {"train_sha256": "0" * 64, "train_rows": 3, "classes": list(range(CLASSES)), "channels": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="deotte_plain")
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--rows", type=int, default=28_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="*", default=[32, 64, 128, 256, 512])
    parser.add_argument("--of", help=argparse.SUPPRESS)  # a run directory: this process measures one way
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)  # when this process was
    args = parser.parse_args()
    if args.of:
        print(json.dumps(WAYS[args.way](args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        subprocess.run(
            [sys.executable, "-c", MAKE, run, args.architecture, str(args.members), args.backend], check=True
        )
        compare(run, args)


def compare(run: str, args: argparse.Namespace) -> None:
    print(
        f"{args.members} × {args.architecture}, {args.rows:,} rows, {args.backend}\n\n| batch | images/s |\n|---|---|"
    )
    speeds = [measure(run, "batches", args) for _ in range(args.rounds)]
    for batch in map(str, args.batches):
        print(f"| {batch} | {spread([each[batch] for each in speeds])} |")
    print("\n| way | process, s | again, s | bare calls, s |\n|---|---|---|---|")
    ways: dict[str, list[dict[str, float]]] = {"members": [], "program": []}
    for _ in range(args.rounds):
        for way, measured in ways.items():
            measured.append(measure(run, way, args))
    for way, measured in ways.items():
        columns = (spread([each[name] for each in measured]) for name in ("process", "again", "bare"))
        print(f"| {way} | {' | '.join(columns)} |")


def measure(run: str, way: str, args: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--of", run, "--way", way, "--rows", str(args.rows), "--batches"]
    command += [*map(str, args.batches), "--started", str(time.time())]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_batches(args: argparse.Namespace) -> dict[str, float]:
    """Returns images a second by batch."""
    from digits_ray import load_run
    from digits_ray.training import build_program

    models, images = load_run(args.of).program.models, images_of(args.rows)
    programs = {batch: build_program(models, batch) for batch in args.batches}
    return {str(batch): 1 / seconds_an_image(program, images[: 16 * batch]) for batch, program in programs.items()}


def seconds_an_image(program: Any, images: np.ndarray) -> float:
    """Returns the time of the compiled program alone."""
    program.warm_up()
    started = time.perf_counter()
    for start in range(0, len(images), program.batch_rows):
        program.run(images[start : start + program.batch_rows])
    return (time.perf_counter() - started) / len(images)


def measure_program(args: argparse.Namespace) -> dict[str, float]:
    """Predicts twice as the product does; then the compiled program alone on the same rows."""
    from digits_ray import load_run

    run, images = load_run(args.of), images_of(args.rows)
    run.predict_proba(images)
    first, started = time.time() - args.started, time.perf_counter()
    run.predict_proba(images)
    again = time.perf_counter() - started
    full = images[: len(images) // run.program.batch_rows * run.program.batch_rows]
    return {"process": first, "again": again, "bare": seconds_an_image(run.program, full) * len(images)}


def measure_members(args: argparse.Namespace) -> dict[str, float]:
    """Predicts twice with one model after the other, as was done before there was a program."""
    from digits_ray import load_run

    models, images = load_run(args.of).program.models, images_of(args.rows)
    predict_one_by_one(models, images)
    first, started = time.time() - args.started, time.perf_counter()
    predict_one_by_one(models, images)
    return {"process": first, "again": time.perf_counter() - started, "bare": float("nan")}


def predict_one_by_one(models: Sequence[Any], images: np.ndarray) -> np.ndarray:
    return sum(model.predict(images, batch_size=KERAS_BATCH, verbose=0) for model in models) / len(models)


WAYS = {"batches": measure_batches, "members": measure_members, "program": measure_program}

MAKE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from predict import make_run
make_run(*sys.argv[1:])
"""


def make_run(path: str, architecture: str, members: str, backend: str) -> None:
    """Writes a run directory whose members are untrained."""
    from digits_ray.training.architectures import build
    from digits_ray.training.model_file import model_file, plain_model

    flags = {"members.count": int(members), "members.architectures": [architecture], "members.recipe.backend": backend}
    config = load_config("fast", flags={"out": path, **flags})
    data = {**DATA, "height": SIDE, "width": SIDE}
    directory = RunDirectory.at(path, config, data)
    directory.claim(config, data)
    proba = np.full((2, CLASSES), 1 / CLASSES, np.float32)
    for spec in member_specs(config):
        model = plain_model(build(architecture, SIDE, SIDE, CLASSES), 0.1)
        prediction = Prediction(f"member-{spec.member_id:03d}", np.arange(2), proba, np.arange(2), proba)
        result = MemberResult(
            spec.member_id, prediction, [{"loss": 1.0, "seconds": 1.0}], model_file(model), 1.0, 1.0, "float32", "cpu"
        )
        directory.write_member(spec, result, None)
    directory.close()


def images_of(rows: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, SIDE, SIDE), dtype=np.uint8)


def spread(values: list[float]) -> str:
    return f"{np.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})"


if __name__ == "__main__":
    main()
