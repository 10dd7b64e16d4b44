"""A run directory that release 0.1.0 made: member 0 finished, member 1 with 11 of 12 epochs saved, three baselines."""

import tarfile
from pathlib import Path
from typing import Any

from digits_ray.config import loading
from digits_ray.config.schema import Config

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "run_0_1_0.tar.xz"
SETTINGS = ("members.recipe.precision=float32", "members.recipe.batch_size=64")  # that its user gave with --set


def unpacked(folder: Path) -> Path:
    """Unpacks train.npz, test.npz and the run directory, whose path is returned."""
    with tarfile.open(ARCHIVE) as archive:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    return folder / "run"


def config_of(run: Path, settings: tuple[str, ...] = SETTINGS, **flags: Any) -> Config:
    """The configuration that the command which made the run gives now; more flags with "__" for the dots."""
    more = {key.replace("__", "."): value for key, value in flags.items()}
    paths = {"data.train": str(run.parent / "train.npz"), "data.test": str(run.parent / "test.npz"), "out": str(run)}
    made_with = {"members.count": 2, "members.recipe.epochs": 12, "members.recipe.min_steps": 0}
    return loading.load_config("smoke", flags={**paths, **made_with, **more}, settings=settings)
