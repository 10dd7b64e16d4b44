"""How fast `digits-ray serve` answers, against the same compiled program without a server. Loopback alone, bounded.

python benchmarks/serving.py RUN_DIR [--seconds 10] [--clients 1 8 64] [--overload-seconds 60]
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from digits_ray.storage import RunDirectory

PORT = 8765
URL = f"http://127.0.0.1:{PORT}/"
BATCH = 64  # images of a large request
READY_SECONDS = 300
OVERLOAD_CLIENTS = 1024  # more than are computed and may wait together
ANSWERED = (200, 503)  # at overload: answered, or refused


@dataclass
class Outcome:
    """What came of the requests of one round."""

    seconds: float = 0.0
    statuses: Counter[int | str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)  # seconds, of those that were answered

    def summary(self, images: int) -> str:
        """Returns the figures on one line; `images` a request."""
        rate = len(self.latencies) / self.seconds
        p50, p99 = np.percentile(self.latencies or [float("nan")], [50, 99]) * 1000
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items(), key=str))
        return (
            f"{rate:8.1f} requests/s {rate * images:9.1f} images/s   p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   {counts}"
        )


@contextmanager
def server(run_dir: str) -> Iterator[int]:
    """Starts the server, and yields its process id once it is ready."""
    environment = {**os.environ, "DIGITS_RAY_TOKEN": ""}
    del environment["DIGITS_RAY_TOKEN"]
    command = [sys.executable, "-m", "digits_ray", "serve", run_dir, "--port", str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        _wait_until_ready(process)
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    for _ in range(READY_SECONDS):
        try:
            urllib.request.urlopen(f"{URL}readyz", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("the server ended")
            time.sleep(1)
    sys.exit("the server is not ready")


async def ask_for(seconds: float, clients: int, body: bytes) -> Outcome:
    """Lets so many clients ask, each as soon as it is answered."""
    outcome, started = Outcome(), time.monotonic()
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120)) as session:
        await asyncio.gather(*(_client(session, started + seconds, body, outcome) for _ in range(clients)))
    outcome.seconds = time.monotonic() - started
    return outcome


async def _client(session: aiohttp.ClientSession, deadline: float, body: bytes, outcome: Outcome) -> None:
    while (begun := time.monotonic()) < deadline:
        try:
            async with session.post(f"{URL}predict", data=body) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome.statuses[type(error).__name__] += 1
            continue
        outcome.statuses[response.status] += 1
        if response.status == 200:
            outcome.latencies.append(time.monotonic() - begun)
        elif response.status == 503:
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))


def program_rate(run_dir: str, images: np.ndarray, seconds: float) -> float:
    """Returns images a second of the compiled program in a process of its own, at batches of these images."""
    script = (
        "import sys, time, numpy as np; from digits_ray import load_run\n"
        "program, images = load_run(sys.argv[1]).program, np.load(sys.argv[2]); program.warm_up(len(images))\n"
        "start, calls = time.monotonic(), 0\n"
        "while time.monotonic() < start + float(sys.argv[3]): program.member_proba(images); calls += 1\n"
        "print(calls * len(images) / (time.monotonic() - start))"
    )
    file = Path(os.environ.get("TMPDIR", "/tmp"), f"serving-{os.getpid()}.npy")
    np.save(file, images)
    try:
        command = [sys.executable, "-c", script, run_dir, str(file), str(seconds)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    finally:
        file.unlink()


def memory_mib(pid: int) -> float:
    """Returns the resident memory of a process and all that it has started."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], check=True, capture_output=True, text=True).stdout
    rows = [tuple(map(int, line.split())) for line in listing.splitlines()]
    family = {pid}
    while more := {child for child, parent, _ in rows if parent in family} - family:
        family |= more
    return sum(rss for process, _, rss in rows if process in family) / 1024


def main() -> None:
    """Measures, and prints a line a round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--overload-seconds", type=float, default=60.0)
    given = parser.parse_args()
    data = RunDirectory.existing(given.run_dir).data()
    shape = (data["height"], data["width"], data["channels"])[: 2 if data["channels"] == 1 else 3]
    images = np.random.default_rng(0).integers(0, 256, (BATCH, *shape), dtype=np.uint8)
    bodies = {1: images[:1], BATCH: images}
    alone = program_rate(given.run_dir, images, given.seconds)
    print(f"the program alone, batches of {BATCH}: {alone:.1f} images/s", flush=True)
    with server(given.run_dir) as pid:
        for count, body in bodies.items():
            content = json.dumps({"images": body.tolist()}).encode()
            for clients in given.clients:
                outcome = asyncio.run(ask_for(given.seconds, clients, content))
                print(f"{count:3} images, {clients:3} clients: {outcome.summary(count)}", flush=True)
        before = memory_mib(pid)
        content = json.dumps({"images": bodies[1].tolist()}).encode()
        outcome = asyncio.run(ask_for(given.overload_seconds, OVERLOAD_CLIENTS, content))
        others = {status: count for status, count in outcome.statuses.items() if status not in ANSWERED}
        print(f"overload, {OVERLOAD_CLIENTS} clients: {outcome.summary(1)}; neither answered nor refused: {others}")
        print(f"memory before {before:.0f} MiB, after {memory_mib(pid):.0f} MiB")
    again = program_rate(given.run_dir, images, given.seconds)
    print(f"the program alone again: {again:.1f} images/s")


if __name__ == "__main__":
    main()
