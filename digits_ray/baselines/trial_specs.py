"""What is searched: a grid of trials, each with the axes that it sweeps."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

from digits_ray.config import BASELINE_KINDS, BaselineKind, BaselineSpace, Config, KnnSpace, trial_identity
from digits_ray.data import Data, channels_of
from digits_ray.errors import UserError

Params = Mapping[str, bool | int | float | str]  # settings of a model by name, e.g. metric, deskew, pca

SWEPT_AXES = ("n_neighbors", "weights", "trees")  # each step along them costs little, so one trial scores all


@dataclass(frozen=True)
class TrialSpec:
    """One trial: what its scores depend on, beside the rows."""

    kind: BaselineKind
    params: Params  # of its models; those of the swept axes are not among them
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

    kind: BaselineKind
    trials: tuple[TrialSpec, ...]

    @property
    def key(self) -> str:
        """The hash by which a finished baseline is matched to its search."""
        return _hash([trial.key for trial in self.trials])


def baseline_specs(config: Config, data: Data, train_rows: int) -> list[BaselineSpec]:
    """Returns what is to be searched.

    Args:
        config: The run's; an axis that was left at its default is cut to what the data can bear.
        data: The run's.
        train_rows: Rows that the smallest model is trained on.

    Raises:
        UserError: an axis that was set asks for more neighbours than rows, more PCA dimensions than pixels or rows, or
            for deskewed colour images.
    """
    knn, tree, forest = config.baselines.spaces()
    spaces: list[BaselineSpace] = [_cut_to_data(knn, train_rows, data.images[0].size), tree, forest]
    if is_colour(data):
        spaces = [_without_deskewing(kind, space) for kind, space in zip(BASELINE_KINDS, spaces, strict=True)]
    return [_spec(kind, space, config) for kind, space in zip(BASELINE_KINDS, spaces, strict=True)]


def is_colour(data: Data) -> bool:
    """Returns whether images are in colour, so that none is deskewed: deskewing looks for ink on a black ground."""
    return channels_of(data.images.shape[1:]) > 1


def _spec(kind: BaselineKind, space: BaselineSpace, config: Config) -> BaselineSpec:
    axes = {entry.name: list(getattr(space, entry.name)) for entry in fields(space)}
    sweep = {name: axes.pop(name) for name in SWEPT_AXES if name in axes}
    sweep = {name: values if name == "weights" else sorted(set(values)) for name, values in sweep.items()}
    grid = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    validation, seed = config.baselines.validation, config.seed
    return BaselineSpec(kind, tuple(TrialSpec(kind, params, sweep, validation, seed) for params in grid))


def _cut_to_data(space: KnnSpace, rows: int, pixels: int) -> KnnSpace:
    """Returns the space without values too large for the data, where they are defaults."""
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


def _without_deskewing(kind: BaselineKind, space: BaselineSpace) -> BaselineSpace:
    if False not in space.deskew:
        raise UserError(
            f"baselines.{kind}.deskew: true alone, but these images are in colour, and only grey ones are deskewed. "
            "Set it to [false]."
        )
    return replace(space, deskew=(False,))


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def describe(params: Params) -> str:
    """Returns "metric=euclidean deskew pca=50 …": what was chosen, in one line."""
    parts = [name if value is True else f"{name}={value}" for name, value in params.items() if value is not False]
    return " ".join(parts)
