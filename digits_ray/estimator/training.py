"""A fit: a run in a folder of its own, whose models are all that stays."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from digits_ray.config import Config, ResourcesConfig, config_to_dict
from digits_ray.data import Data
from digits_ray.estimator.fit_lock import locked_fit
from digits_ray.runs import EnsembleModels, run
from digits_ray.training.network_files import registered_networks


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """What a fit leaves behind."""

    models: EnsembleModels
    metrics: dict[str, Any]  # the run's metrics.json


def train(config: Config, data: Data, labels: np.ndarray) -> TrainedEnsemble:
    """Trains an ensemble, when it is this fit's turn.

    Args:
        config: Of the run; its `out` is the folder in which the run gets one of its own, by its settings and data, so
            that the same fit goes on there. Without it, the run directory is temporary and removed.
        data: What `load_arrays` has made of the images and labels.
        labels: (rows,) any strings or whole numbers.

    Raises:
        UserError: as `run` does.
        RunError: as `run` does.
    """
    with locked_fit(config.resources), _run_directory(config, data) as directory:
        finished = run(replace(config, out=directory), train=(data.images, labels), report=False)
        networks = registered_networks(finished.config.members.architectures)
        models = EnsembleModels(finished.model_files(), config.members.recipe.backend, networks)
        return TrainedEnsemble(models, finished.metrics)


@contextmanager
def _run_directory(config: Config, data: Data) -> Iterator[str]:
    if config.out is None:
        with tempfile.TemporaryDirectory(prefix="digits-ray-") as folder:
            yield folder
    else:
        yield f"{config.out.rstrip('/')}/{directory_name(config, data)}"


def directory_name(config: Config, data: Data) -> str:
    """Returns the name of a run directory: the preset, the number of members, and a hash of all settings and the data.

    Where and how fast it trains does not count.

    Args:
        config: The run's; its `out` does not count either.
        data: The run's.
    """
    settings = config_to_dict(replace(config, out=None, resources=ResourcesConfig()))
    identity = json.dumps([settings, data.fingerprint()], sort_keys=True)
    return f"{config.preset}-{config.members.count}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
