"""Drawing the report: seconds for Kaggle's size of data with 10 members, and the page's size with 20.

    python benchmarks/report.py [--members 10] [--run-dir DIRECTORY]

The run is invented (42,000 labelled and 28,000 test images of 28 × 28, 50 epochs) but for its one small model.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from report_runs import make_run

from digits_ray.report import ReportStep, draw_report


def main() -> None:
    options = parsed_options()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = options.run_dir or make_run(
            Path(folder) / "run", classes=10, side=28, members=options.members, labelled=42_000, test=28_000, skill=5.0,
            epochs=50,
        )  # fmt: skip
        measure(run_dir)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--run-dir", help="a run directory to draw, instead of an invented one")
    return parser.parse_args()


def measure(run_dir: str) -> None:
    """Prints the seconds of each step and of all, wall and processor, and what the files weigh."""
    started, busy = time.perf_counter(), time.process_time()

    def print_step(step: ReportStep) -> None:
        print(f"{time.perf_counter() - started:6.1f} s  {step.name}", flush=True)

    page = draw_report(run_dir, print_step)
    wall, processor = time.perf_counter() - started, time.process_time() - busy
    print(f"{wall:6.1f} s in all; {processor:.1f} s of this process's processor time")
    for name in ("report.html", "dataset.npz", "cases.npz"):
        print(f"{(Path(page).parent / name).stat().st_size / 1e6:6.2f} MB  {name}")


if __name__ == "__main__":
    main()
