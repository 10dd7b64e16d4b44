"""What goes into a run: its data and their split, and the members and baselines that are made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import PurePath
from typing import Any

import numpy as np

from digits_ray import data as datasets
from digits_ray.baselines import SearchPlan, is_colour, plan_search
from digits_ray.config import ARCHITECTURES, Config, MemberSpec, Recipe, member_specs, refit_specs
from digits_ray.data import Data, DataCheck
from digits_ray.errors import UserError
from digits_ray.storage import RunDirectory, Store
from digits_ray.tracking import check_tracking

DARK = 64  # of 255; images without a brighter pixel may have another white
NOT_DESKEWED = "images in colour: the baselines are searched without deskewing"


@dataclass(frozen=True, eq=False)
class GivenArrays:
    """What `run` was given in the place of files, as `data.load_arrays` takes it; None where it was not."""

    train: Any = None  # images and labels
    test: Any = None  # images
    holdout: Any = None  # images and labels
    groups: Any = None  # a writer or patient for each training image

    def names(self) -> list[str]:
        """Returns those that were given."""
        return [name for name, value in vars(self).items() if value is not None]


def paths_and_arrays(inputs: Mapping[str, Any]) -> tuple[dict[str, str], GivenArrays]:
    """Returns what is given as text or as a path, by name, and what is given as arrays.

    Args:
        inputs: `train`, `test`, `holdout` and `groups`, by name; None where not given.
    """
    given = {name: value for name, value in inputs.items() if value is not None}
    paths = {name: str(value) for name, value in given.items() if isinstance(value, str | PurePath)}
    return paths, GivenArrays(**{name: value for name, value in given.items() if name not in paths})


@dataclass(frozen=True, eq=False)
class RunInputs:
    """All that a run depends on. Nothing here changes during the run."""

    config: Config  # with `out`
    data: Data
    folds: np.ndarray  # (labelled_rows,) int16, from `data.split`
    specs: list[MemberSpec]  # of all members, by id
    search: SearchPlan | None  # of the baselines; None: none are wanted

    @cached_property
    def refit_specs(self) -> list[MemberSpec]:
        """The members' specs once more, for all labelled rows, by id; none where no refit is wanted."""
        return refit_specs(self.config)

    @cached_property
    def check(self) -> DataCheck:
        """What is worth knowing of the data: duplicates take a moment to find."""
        return datasets.check_data(self.data)

    @cached_property
    def holdout_rows_trained_on(self) -> np.ndarray:
        """Row ids of a given holdout whose images are training images too, (rows,) int64."""
        return datasets.holdout_rows_trained_on(self.data)

    def drawing_form(self) -> datasets.DrawingForm:
        """Measures the form of the training images; rows that score a model tell nothing of it."""
        training = self.folds == datasets.TRAIN_ONLY
        return datasets.measure_form(self.data.images[training] if training.any() else self.data.images)

    def fingerprint(self) -> dict[str, Any]:
        """Returns data.json: what goes in, by content."""
        source = {"source": datasets.ARRAYS} if self.data.train_source == datasets.ARRAYS else {}
        return {**self.data.fingerprint(), **source, "split": {**vars(self.config.split), "seed": self.config.seed}}


def load_data(config: Config, arrays: GivenArrays, on_progress: Callable[[int, int], None]) -> Data:
    """Checks the arrays that a run was given, or reads its files where it was given none.

    Args:
        config: The run's, with `out`.
        arrays: What it was given.
        on_progress: Called with the pictures decoded so far and in all.

    Raises:
        UserError: arrays and files are given both, or neither where the run directory was made with arrays; or they
            are not as they should be.
    """
    given = arrays.names()
    if not given:
        _refuse_missing_arrays(config)
        return datasets.load(config.data, on_progress, config.split.groups)
    for name, setting in _settings_of_files(config).items():
        if setting is not None:
            raise UserError(f"{name} is {setting}, but arrays are given too. Give either the files or the arrays.")
    if arrays.train is None:
        what = {"test": "images", "holdout": "(images, labels)", "groups": "groups"}[given[0]]
        raise UserError(f"{given[0]}={what} is given without training images. Give train=(images, labels) too.")
    if arrays.holdout is not None and (conflict := config.split.conflict_with_holdout()):
        raise UserError(conflict)
    data = datasets.load_arrays(arrays.train, arrays.test, arrays.holdout, arrays.groups)
    datasets.refuse_unconverted("train", data.images.shape, config.data)
    return data


def _settings_of_files(config: Config) -> dict[str, str | None]:
    paths = {f"data.{name}": getattr(config.data, name) for name in ("train", "test", "holdout")}
    return {**paths, "split.groups": config.split.groups}


def _refuse_missing_arrays(config: Config) -> None:
    """Raises UserError where the run directory was made with arrays, and this command names no file either."""
    recorded = RunDirectory(Store.at(str(config.out))).data_or_none() or {}
    if config.data.train is None and recorded.get("source") == datasets.ARRAYS:
        raise UserError(
            f"{config.out}: this run was trained on arrays. Give them again, in Python: "
            "run(config, train=(images, labels), test=images); or choose another --out."
        )


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
        datasets.check_validation_groups(data, folds, config.members.recipe.validation)
    check_tracking(config.tracking.mlflow)
    search = plan_search(config, data, folds) if config.baselines.enabled else None
    data = replace(data, notes=(*data.notes, *_dark_images(data)))
    if search and is_colour(data):
        data = replace(data, notes=(*data.notes, NOT_DESKEWED))
    return RunInputs(config, data, folds, specs, search)


def _dark_images(data: Data) -> list[str]:
    """Returns a note where no pixel is bright: of 0 … 16, as in scikit-learn's digits, images are nearly black."""
    brightest = int(data.images.max(initial=0))
    if not 0 < brightest < DARK:
        return []
    return [f"no pixel is above {brightest} of 255. If {brightest} is white, multiply the images by 255/{brightest}"]


def check_image_size(specs: list[MemberSpec], data: Data) -> None:
    """Raises UserError when the images are too small for an architecture: its layers would leave nothing."""
    side = min(data.images.shape[1:3])
    for name in dict.fromkeys(spec.architecture for spec in specs):
        if side < ARCHITECTURES.get(name, 0):  # networks of the user's own are tried
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
