"""Reading a folder of pictures, a folder for each class: seconds of `load`, by processes of Pillow.

    python benchmarks/pictures.py [--pictures 60000] [--side 28] [--repeats 3]

The pictures are noise with about as many blank pixels as handwritten digits have, written as PNG beforehand.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from digits_ray.config.schema import DataConfig
from digits_ray.data import load
from digits_ray.machine import usable_cpus

CLASSES = 10
INK = 0.19  # part of the pixels of handwritten digits that are not 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60_000)
    parser.add_argument("--side", type=int, default=28, help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), options.pictures, options.side)
        for _ in range(options.repeats):
            start = time.perf_counter()
            rows = len(load(DataConfig(train=folder)).images)
            seconds = time.perf_counter() - start
            print(
                f"{rows:,} pictures: {seconds:.1f} s, {rows / seconds:,.0f} a second ({usable_cpus()} CPUs)", flush=True
            )


def write_pictures(folder: Path, pictures: int, side: int) -> None:
    random = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / str(label)).mkdir()
    for number in range(pictures):
        pixels = random.integers(1, 256, (side, side)) * (random.random((side, side)) < INK)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / str(number % CLASSES) / f"{number}.png")


if __name__ == "__main__":
    main()
