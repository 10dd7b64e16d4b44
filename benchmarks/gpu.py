"""What one GPU gives members on JAX: speed, compiling, sharing, resuming and accuracy, in minutes and row by row.

    python benchmarks/gpu.py --train train.csv.gz [--full] [--preset fast] [--sharing 1 2 4] [--stacks 2 4 8]
                             [--members 20]
    python benchmarks/gpu.py --cpu      proves the script: tiny images, a network of one convolution, two cores

Needs JAX and Keras, no TensorFlow, and takes at most three minutes (`--full`: eight). Every part runs in processes of
its own, so a part that fails or takes too long costs only its own rows; each row is printed as soon as it is measured.
Without `--train`, images are noise and their accuracy means nothing. The compilation cache lies in a temporary folder:
the first part does not find anything in it. Parts, in this order:

    cold      one process, two members one after the other: compiling, speed, memory, accuracy
    warm      a new process, what it runs compiled before: a member, resumed from its middle and trained once more
    sharing   processes side by side on the GPU, each with its part: members a minute, all in
    stacks    one process that trains a stack of members as one program, each size after its compiling
    command   `digits-ray run` with 20 members, on the built-in digits without `--train`: seconds to step and submission
    accuracy  more members, for half a minute
    keras     (full) one process that trains by Keras's own loop
    unroll    (full) several batches in each turn of the compiled loop
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from gpu_parts import LEAST_SECONDS, PARTS, print_result

from digits_ray.config import loading
from digits_ray.config.schema import DataConfig
from digits_ray.data import Rows
from digits_ray.data.rows import random_blocks

START = time.perf_counter()
MOST_SECONDS = 120.0  # of one part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", help="Kaggle's train.csv or train.csv.gz")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seconds", type=float, help="after which everything has ended; 170, with --full 480")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--sharing", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--stacks", type=int, nargs="*", default=[2, 4, 8], help="members in each")
    parser.add_argument("--members", type=int, default=20, help="of the part `command`")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        PARTS[args.part](args)
        return
    args.seconds = args.seconds or (480 if args.full else 170)
    with tempfile.TemporaryDirectory() as folder:
        write_rows(args, Path(folder))
        run_all(args, Path(folder))
    print_result("all", "seconds", f"{time.perf_counter() - START:.0f} of {args.seconds:.0f}")


def run_all(args: argparse.Namespace, folder: Path) -> None:
    run_processes(args, folder, "cold")
    run_processes(args, folder, "warm")
    for processes in args.sharing:
        run_processes(args, folder, "sharing", processes)
    for members in args.stacks:
        run_processes(args, folder, "stacks", members=members)
    for part in ("command", "accuracy", *(("keras", "unroll") if args.full else ())):
        run_processes(args, folder, part)


def run_processes(args: argparse.Namespace, folder: Path, part: str, count: int = 1, members: int = 1) -> None:
    """Runs a part in `count` processes at once, and ends those that are not done in time."""
    left = min(MOST_SECONDS, args.seconds - (time.perf_counter() - START))
    if left < LEAST_SECONDS:
        print_result(part, "left out", f"{left:.0f} s left")
        return
    shared = folder / f"{part}-{count}-{members}"
    shared.mkdir()
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--preset", args.preset]
    command += [
        "--started",
        str(time.time()),
        "--sharing",
        str(count),
        "--seconds",
        str(left),
        "--stacks",
        str(members),
    ]
    command += ["--cpu"] * args.cpu + ["--members", str(args.members)]
    command += ["--train", args.train] if args.train else []
    logs = [shared / f"{number}.log" for number in range(count)]
    processes = [start(command, folder, log) for log in logs]
    try:
        end = time.perf_counter() + left
        release_when_ready(shared, processes, left)
        wait(processes, end - time.perf_counter())
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its own children too: each part has a session of its own
            process.wait()
    for number, (process, log) in enumerate(zip(processes, logs, strict=True)):
        if process.returncode:
            print_result(part, f"process {number} ended with {process.returncode}", last_lines(log))
    if part == "sharing":
        tell_sharing(count, shared)


def start(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with log.open("wb") as file:
        return subprocess.Popen(command, stderr=file, env=environment, start_new_session=True)


def release_when_ready(shared: Path, processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """Lets processes that wait for each other go on together, once all have compiled or one has ended."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and all(process.poll() is None for process in processes):
        if len(list(shared.glob("ready-*"))) == len(processes):
            (shared / "go").touch()
            return
        time.sleep(0.01)


def wait(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """Returns when all have ended or one has failed, for which the others might wait."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        codes = [process.poll() for process in processes]
        if None not in codes or any(codes):
            return
        time.sleep(0.02)


def last_lines(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-2:])[-400:] or "no message; out of time, or killed"


def tell_sharing(count: int, shared: Path) -> None:
    """Adds up what processes did side by side, from the moment on which they were released together."""
    spans = [tuple(map(float, path.read_text().split())) for path in shared.glob("done-*")]
    if len(spans) < count:
        print_result("sharing", f"{count} side by side", f"{count - len(spans)} of them did not finish")
        return
    seconds = max(end for _, end, _, _ in spans) - min(begin for begin, _, _, _ in spans)
    members, speed = sum(members for _, _, members, _ in spans), sum(speed for _, _, _, speed in spans)
    text = f"{seconds / members:.2f} s a member, all in; while they train {speed:,.0f} images/s"
    print_result("sharing", f"{count} side by side", text)


def write_rows(args: argparse.Namespace, folder: Path) -> None:
    """Reads and splits the rows once, for all parts."""
    try:
        rows = tiny_rows() if args.cpu else kaggle_rows(args)
    except Exception as error:
        print_result("rows", "not read, noise instead", f"{type(error).__name__}: {error}")
        rows = noise()
    columns = {name: getattr(rows, name) for name in ("images", "labels", "row_ids", "folds", "blocks")}
    np.savez(folder / "rows.npz", num_classes=rows.num_classes, **columns)
    trained, held_out = len(rows.train_index(0)), len(rows.holdout_index(0))
    print_result(
        "rows", "trained on, held out, image", f"{trained}, {held_out}, {'×'.join(map(str, rows.image_shape))}"
    )


def kaggle_rows(args: argparse.Namespace) -> Rows:
    from digits_ray import data

    if args.train is None:
        return noise()
    config = loading.load_config(args.preset)
    loaded = data.load(DataConfig(train=args.train))
    return data.combine_rows(loaded, data.split(loaded, config.split, config.seed))


def noise() -> Rows:
    random = np.random.default_rng(0)
    return with_holdout(random.integers(0, 256, (42_000, 28, 28), dtype=np.uint8), random.integers(0, 10, 42_000), 10)


def tiny_rows() -> Rows:
    """Images whose bright row is their class."""
    labels = np.arange(400) % 3
    images = np.random.default_rng(0).integers(0, 60, (400, 8, 8), dtype=np.uint8)
    images[np.arange(400), 2 * labels + 1] = 250
    return with_holdout(images, labels, 3)


def with_holdout(images: np.ndarray, labels: np.ndarray, num_classes: int) -> Rows:
    rows = len(labels)
    folds = np.where(np.arange(rows) < rows // 10, 0, -1).astype(np.int16)
    return Rows(images, labels.astype(np.int32), np.arange(rows), folds, random_blocks(rows, rows), num_classes)


if __name__ == "__main__":
    main()
