"""What goes into a run: its data and their split, and the members and baselines that are made of them."""

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from digits_ray import data as datasets
from digits_ray.baselines import SearchPlan, plan_search
from digits_ray.config import ARCHITECTURES, Config, MemberSpec, Recipe, member_specs
from digits_ray.data import Data, DataCheck
from digits_ray.errors import UserError
from digits_ray.tracking import check_tracking


@dataclass(frozen=True, eq=False)
class RunInputs:
    """All that a run depends on. Nothing here changes during the run."""

    config: Config  # with `out`
    data: Data
    folds: np.ndarray  # (labelled_rows,) int16, from `data.split`
    specs: list[MemberSpec]  # of all members, by id
    search: SearchPlan | None  # of the baselines; None: none are wanted

    @cached_property
    def check(self) -> DataCheck:
        """What is worth knowing of the data: duplicates take a moment to find."""
        return datasets.check_data(self.data)

    def fingerprint(self) -> dict[str, Any]:
        """Returns data.json: what goes in, by content."""
        return {**self.data.fingerprint(), "split": {**vars(self.config.split), "seed": self.config.seed}}


def check_inputs(config: Config, data: Data, folds: np.ndarray, *, with_members: bool) -> RunInputs:
    """Puts together what goes into a run, once it is sure that it can be trained on.

    Args:
        config: The run's, with `out`.
        data: The run's.
        folds: (labelled_rows,) int16, from `data.split`.
        with_members: Whether members are to be trained, not baselines alone.

    Raises:
        UserError: a setting does not fit the data, or a package that it needs is not installed.
    """
    specs = member_specs(config)
    if with_members:
        check_image_size(specs, data)
        check_backend(config.members.recipe)
    check_tracking(config.tracking.mlflow)
    search = plan_search(config, data, folds) if config.baselines.enabled else None
    return RunInputs(config, data, folds, specs, search)


def check_image_size(specs: list[MemberSpec], data: Data) -> None:
    """Raises UserError when the images are too small for an architecture: its layers would leave nothing."""
    side = min(data.images.shape[1:])
    for name in dict.fromkeys(spec.architecture for spec in specs):
        if side < ARCHITECTURES[name]:
            raise UserError(
                f"members.architectures: {name!r} needs images of {ARCHITECTURES[name]} pixels a side or more, these"
                f" have {side}. Use 'compact'."
            )


def check_backend(recipe: Recipe) -> None:
    """Raises UserError when the recipe's backend is not installed here; nodes have what the driver has."""
    if recipe.backend == "jax" and find_spec("jax") is None:
        raise UserError("members.recipe.backend: no jax here. pip install 'digits-ray[jax]', or use tensorflow.")
    if recipe.backend == "tensorflow" and find_spec("tensorflow") is None:
        raise UserError("members.recipe.backend: no tensorflow here. pip install tensorflow, or use jax.")
