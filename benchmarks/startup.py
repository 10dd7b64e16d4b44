"""Seconds from the start of the command to its first training steps, and for `digits-ray --help`.

    python benchmarks/startup.py [--repeats 5]

Each figure is of a process of its own, imports, the start and the end of Ray included; the two take turns. The first
steps are those of one call into the backend: 1,024 images.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

FIRST_STEP = """
import os
from digits_ray import RunCallback, run
from digits_ray.config import load_config

class Stop(RunCallback):
    def on_member_progress(self, statuses):
        if any(status.state == "training" for status in statuses):
            raise KeyboardInterrupt

try:
    run(load_config(flags={"out": os.sys.argv[1]}), [Stop()])
except KeyboardInterrupt:
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    first_step, help_text = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            first_step.append(_seconds([sys.executable, "-c", FIRST_STEP, f"{folder}/run"]))
        help_text.append(_seconds([sys.executable, "-m", "digits_ray", "--help"]))
    _tell("start to first training steps, and down again", first_step)
    _tell("digits-ray --help", help_text)


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _tell(name: str, seconds: list[float]) -> None:
    low, high = min(seconds), max(seconds)
    print(f"{name}: {statistics.median(seconds):.2f} s ({low:.2f} to {high:.2f}, n = {len(seconds)})")


if __name__ == "__main__":
    main()
