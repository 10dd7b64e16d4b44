"""The images that an exported file is checked with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from digits_ray import data as datasets
from digits_ray.errors import RunError, UserError
from digits_ray.runs import Run
from digits_ray.storage import RunDirectory, layout

MOST_ROWS = 1000  # enough to see a wrong conversion; some seconds in every runtime


@dataclass(frozen=True, eq=False)
class CheckRows:
    """Images, and what they are."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8, one row at least
    kind: str  # "held-out rows", or what there was instead


def check_rows(run: Run, directory: RunDirectory) -> CheckRows:
    """Returns held-out rows; training rows where none were held out.

    Where the training file is gone or has changed, and where the run was made with arrays, they are the images that
    the run directory holds for its report.

    Raises:
        UserError: it holds none.
    """
    recorded = directory.read_arrays(layout.DATASET) or {}
    data = _same_data(run, directory) if "folds" in recorded else None
    if data is None:
        return _recorded_rows(run, directory, recorded)
    held_out = recorded["folds"] >= 0
    if held_out.any():
        return CheckRows(_spread(data.images[held_out]), "held-out rows")
    return CheckRows(_spread(data.images), "training rows")


def _recorded_rows(run: Run, directory: RunDirectory, recorded: Mapping[str, np.ndarray]) -> CheckRows:
    cases = directory.read_arrays(layout.CASES) or {}
    if len(cases.get("images", ())):
        return CheckRows(cases["images"], "held-out rows")
    if len(recorded.get("sample_images", ())):
        return CheckRows(recorded["sample_images"], "labelled rows")
    raise UserError(f"{run.path}: its training file cannot be read, and {layout.DATASET} is missing or damaged.")


def _same_data(run: Run, directory: RunDirectory) -> datasets.Data | None:
    """Returns the run's data, if they can still be read and are the same."""
    recorded = directory.data()
    if recorded.get("source") == datasets.ARRAYS:
        return None
    try:
        data = datasets.load(run.config.data, groups=run.config.split.groups)
    except (UserError, RunError, OSError):
        return None
    fingerprint = data.fingerprint()
    same = all(fingerprint.get(key) == recorded.get(key) for key in ("train_sha256", "holdout_sha256"))
    return data if same else None


def _spread(images: np.ndarray) -> np.ndarray:
    """Returns `MOST_ROWS` of them at most, at equal distances."""
    return images[np.linspace(0, len(images) - 1, min(MOST_ROWS, len(images))).astype(int)]
