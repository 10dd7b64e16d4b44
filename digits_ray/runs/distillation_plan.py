"""What a distillation is to do: who teaches, how the network is trained, and into which folder it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digits_ray.config import BaselinesConfig, Config, DataConfig, EnsembleConfig, OwnNetwork
from digits_ray.data import ARRAYS
from digits_ray.errors import UserError
from digits_ray.runs.finished_run import Run, load_run
from digits_ray.runs.inputs import GivenArrays, paths_and_arrays
from digits_ray.runs.networks import with_network_hashes
from digits_ray.runs.teachers import Teachers
from digits_ray.storage import RecordedSettings, RunDirectory, Store, joined, layout, listed


@dataclass(frozen=True, eq=False)
class DistillationPlan:
    """What a distillation is to do. Nothing is written yet."""

    ensemble: Run  # whose members teach
    directory: RunDirectory  # of that run
    teachers: Teachers
    config: Config  # of the distilled network, with `out`
    arrays: GivenArrays  # where the run was made with arrays
    notes: tuple[str, ...]  # what the user may want to know, one line each


def plan_distillation(
    run_dir: str | Path,
    architecture: str | None = None,
    epochs: int | None = None,
    address: str | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> DistillationPlan:
    """Decides who teaches, and where the network goes: into the first folder that holds the same one, or none.

    Args:
        run_dir: The run whose members teach, a path or URI.
        architecture: Of the distilled network; None: the first one of the run.
        epochs: Exactly so many; None: those of the members' recipe.
        address: Of a running Ray cluster.
        inputs: `train`, `test`, `holdout` and `groups`, by name: a path in the place of the run's own, or arrays.

    Raises:
        UserError: there is no such run, none of its members can teach, or a setting is wrong.
    """
    ensemble, directory = load_run(run_dir), RunDirectory.existing(str(run_dir))
    teachers = Teachers.of(ensemble)
    data, arrays = _data(ensemble.config.data, inputs or {})
    _refuse_missing_arrays(directory, data, arrays)
    config = _student_config(ensemble.config, teachers, _architecture(ensemble, architecture), epochs, address)
    config = with_network_hashes(replace(config, data=data))
    config, notes = _in_its_folder(config, str(run_dir))
    return DistillationPlan(ensemble, directory, teachers, config, arrays, (*_unfinished(ensemble), *notes))


def _data(recorded: DataConfig, inputs: Mapping[str, Any]) -> tuple[DataConfig, GivenArrays]:
    """Returns the files of the run, those that are elsewhere now by their new paths, and the arrays that are given."""
    paths, arrays = paths_and_arrays(inputs)
    return replace(recorded, **paths), arrays  # type: ignore[arg-type]


def _refuse_missing_arrays(directory: RunDirectory, data: DataConfig, arrays: GivenArrays) -> None:
    if directory.data()["source"] == ARRAYS and data.train is None and arrays.train is None:
        raise UserError(
            f"{directory.store.uri}: this run was trained on arrays. Give them again, in Python: "
            "distil(run_dir, train=(images, labels), test=images)."
        )


def _architecture(run: Run, requested: str | None) -> str:
    """Returns the architecture of the distilled network. A file of the user's is executed only where he names it."""
    first = run.config.members.architectures[0]
    if requested is None and (own := OwnNetwork.parse(first)):
        raise UserError(
            f"{run.path}: its network is one of your own. Give --architecture {own.path}:{own.function} once more, or"
            " that of a built-in one."
        )
    return requested or first


def _student_config(
    config: Config, teachers: Teachers, architecture: str, epochs: int | None, address: str | None
) -> Config:
    """Returns the settings of a run whose only member is the distilled network: the rows are split as the run's."""
    members, recipe = config.members, config.members.recipe
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs, min_steps=0)
    student = replace(
        members,
        count=1,
        min_members=1,
        architectures=(architecture,),
        recipe=recipe,
        refit_on_all=False,
        teachers=teachers.sha256,
    )
    return replace(
        config,
        members=student,
        baselines=BaselinesConfig(enabled=False),
        ensemble=EnsembleConfig(),
        resources=replace(config.resources, address=address),
    )


def _in_its_folder(config: Config, run_dir: str) -> tuple[Config, tuple[str, ...]]:
    """Returns the settings with `out`, and how they differ from those of the distillations that are there already."""
    notes: list[str] = []
    number = 1
    while True:
        folder = joined(run_dir, layout.distilled_folder(number))
        recorded, config = RecordedSettings(Store.at(folder)), replace(config, out=folder)
        others = recorded.differences(config) if recorded.exist() else []
        if not others:
            return config, tuple(f"{note} This one goes to {folder}." for note in notes)
        notes.append(f"{folder} is another distillation: {listed(others)}.")
        number += 1


def _unfinished(run: Run) -> tuple[str, ...]:
    count, finished = run.config.members.count, len(run.member_ids)
    return (f"WARNING {finished} of {count} members are finished: these alone teach.",) * (finished < count)
