"""What is searched: one trial for each configuration that is not free, with the cheap axis that it sweeps."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any, Literal

from digits_ray.config import Config, ForestSpace, KnnSpace, TreeSpace, trial_identity
from digits_ray.data import Data
from digits_ray.errors import UserError

Kind = Literal["knn", "tree", "forest"]
Space = KnnSpace | TreeSpace | ForestSpace

CHEAP = ("n_neighbors", "weights", "trees")  # axes that one trial sweeps from end to end


@dataclass(frozen=True)
class TrialSpec:
    """One trial: what its scores depend on, beside the rows."""

    kind: Kind
    params: dict[str, Any]  # of the models, e.g. metric, deskew, pca
    sweep: dict[str, list[Any]]  # e.g. n_neighbors and weights; a point for each combination
    validation: float  # part of the training rows that scores it
    seed: int

    @property
    def key(self) -> str:
        """The trial's name among all others: a hash of everything in it, but for what an earlier release had not."""
        return _hash(trial_identity(json.loads(json.dumps(asdict(self)))))


@dataclass(frozen=True)
class BaselineSpec:
    """One baseline: all trials that its winner is chosen from."""

    kind: Kind
    trials: tuple[TrialSpec, ...]

    @property
    def key(self) -> str:
        """The hash that tells whether a finished baseline is the one that is wanted."""
        return _hash([trial.key for trial in self.trials])


def baseline_specs(config: Config, data: Data, train_rows: int) -> list[BaselineSpec]:
    """Returns what is to be searched, once it is sure that it fits the data.

    Args:
        config: The run's; an axis that was left at its default is cut to what the data can bear.
        data: The run's.
        train_rows: Rows that the smallest model is trained on.

    Raises:
        UserError: an axis that was set asks for more neighbours than rows, or more PCA dimensions than pixels or rows.
    """
    knn, tree, forest = config.baselines.spaces()
    knn = _fitting(knn, train_rows, data.images[0].size)
    return [_spec("knn", knn, config), _spec("tree", tree, config), _spec("forest", forest, config)]


def _spec(kind: Kind, space: Space, config: Config) -> BaselineSpec:
    axes = {entry.name: list(getattr(space, entry.name)) for entry in fields(space)}
    sweep = {
        name: sorted(set(axes.pop(name))) if name != "weights" else axes.pop(name) for name in CHEAP if name in axes
    }
    grid = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    validation, seed = config.baselines.validation, config.seed
    return BaselineSpec(kind, tuple(TrialSpec(kind, params, sweep, validation, seed) for params in grid))


def _fitting(space: KnnSpace, rows: int, pixels: int) -> KnnSpace:
    """Returns the space without what the data cannot bear, where nobody asked for it."""
    default = KnnSpace()
    neighbors = tuple(k for k in space.n_neighbors if k <= rows)
    if neighbors != space.n_neighbors and space.n_neighbors != default.n_neighbors:
        raise UserError(
            f"baselines.knn.n_neighbors: {max(space.n_neighbors)} neighbours, but the search trains on {rows} rows. "
            f"Use {rows} or fewer."
        )
    dimensions = tuple(size for size in space.pca if size <= min(rows, pixels))
    if dimensions != space.pca and space.pca != default.pca:
        raise UserError(
            f"baselines.knn.pca: {max(space.pca)} dimensions of {pixels} pixels and {rows} training rows. "
            f"Use {min(rows, pixels)} or fewer, or 0 for the pixels themselves."
        )
    return replace(space, n_neighbors=neighbors, pca=dimensions)


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def describe(params: Mapping[str, Any]) -> str:
    """Returns "metric=euclidean deskew pca=50 …": what was chosen, in one line."""
    parts = [name if value is True else f"{name}={value}" for name, value in params.items() if value is not False]
    return " ".join(parts)
