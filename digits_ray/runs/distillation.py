"""Distillation: one network that learns, beside the labels, what the members of a finished run say together.

Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network", arXiv:1503.02531. The network is the single
member of a run of its own, in the folder `distilled` of the run directory, so whatever can be done with a run can be
done with it.
"""

import time
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray import data as datasets
from digits_ray.config import complete_data
from digits_ray.errors import UserError
from digits_ray.runs.callbacks import CallbackList, RunCallback
from digits_ray.runs.distillation_plan import DistillationPlan, plan_distillation
from digits_ray.runs.distillation_scores import compare_with_teachers, measure_speed
from digits_ray.runs.finished_run import Run
from digits_ray.runs.inputs import RunInputs, check_inputs, load_data
from digits_ray.runs.networks import try_networks
from digits_ray.runs.stages import Stages
from digits_ray.runs.teachers import read_lessons, soft_labels, student_folds, taught_rows, write_lessons
from digits_ray.scheduling import captured_stderr, cluster_address, ray_session
from digits_ray.storage import differences, layout, listed
from digits_ray.training import device


def distil(
    run_dir: str | Path,
    *,
    architecture: str | None = None,
    epochs: int | None = None,
    address: str | None = None,
    callbacks: Sequence[RunCallback] | None = None,
    train: Any = None,
    test: Any = None,
    holdout: Any = None,
    groups: Any = None,
) -> Run:
    """Trains one network that learns the mean probabilities of a finished run's members beside the labels.

    The same call goes on where an earlier one stopped. Other teachers, another architecture or other epochs make
    another distillation, in a folder of its own.

    Args:
        run_dir: The run whose members teach: its `out`, a path or URI.
        architecture: Of the network; by default the first one of the run.
        epochs: Exactly so many; by default those of the members' recipe.
        address: Of a running Ray cluster; by default Ray starts here.
        callbacks: Called with the events of the training; without any, its progress is shown, as for `run`.
        train: Where the labelled images are now, a path; or, where the run was made with arrays, the same arrays.
        test: The images to label, alike.
        holdout: The holdout that the run was given, alike.
        groups: The groups of the training images, where arrays were given.

    Returns:
        The run of the distilled network: `predict` is its own, `metrics["distillation"]` compares it with its teachers.

    Raises:
        UserError: there is no such run, none of its members can teach, its data are others now, or a setting is wrong.
        RunError: the network could not be trained.
    """
    inputs = {"train": train, "test": test, "holdout": holdout, "groups": groups}
    plan = plan_distillation(run_dir, architecture, epochs, address, inputs)
    for note in plan.notes:
        warnings.warn(note.removeprefix("WARNING "), stacklevel=3)
    return run_distillation(plan, callbacks or ())


def run_distillation(plan: DistillationPlan, callbacks: Sequence[RunCallback]) -> Run:
    """Load, split, resume, teach, train, compare, report; arguments, result and errors as for `distil`."""
    started, events = time.monotonic(), CallbackList(callbacks)
    with events.running():
        events.on_settings(plan.config)
        data = load_data(plan.config, plan.arrays, events.on_data_progress)
        folds = student_folds(datasets.split(data, plan.config.split, plan.config.seed))
        inputs = check_inputs(plan.config, data, folds, with_members=True)
        _refuse_other_data(plan, inputs)
        with closing(Stages(inputs, events, started)) as stages:
            events.on_data_loaded(inputs.data, inputs.check, folds)
            missing = stages.resume(with_members=True)
            if missing:
                try_networks(plan.config, data.images.shape[1:], len(data.classes), events.on_network_check)
                with ray_session(plan.config.resources):
                    stages.soft_labels = soft_labels(inputs, _lessons(plan, stages))
                    stages.train(missing.members)
            stages.combine()
            _compare(plan, stages)
            stages.report(missing)
        return Run(stages.directory)


def _refuse_other_data(plan: DistillationPlan, inputs: RunInputs) -> None:
    """Raises UserError where the data are not those that the run was made with."""
    changed = differences(plan.directory.data(), complete_data(inputs.fingerprint()), "data")
    if changed:
        raise UserError(
            f"{plan.directory.store.uri}: was made with other data: {listed(changed)}. Give it the same data."
        )


def _lessons(plan: DistillationPlan, stages: Stages) -> np.ndarray:
    """Returns the teachers' mean probabilities, (taught rows, classes) float32: predicted once, then read."""
    proba = read_lessons(stages.directory, stages.inputs)
    if proba is None:
        images = stages.inputs.data.images[taught_rows(stages.inputs)]
        stages.state.claim(stages.callbacks.on_wait_for_directory)
        stages.callbacks.on_teaching_begin(len(plan.teachers.specs), len(images))
        proba = teachers_proba(plan, images)
        write_lessons(stages.directory, stages.inputs, proba)
    return proba


def teachers_proba(plan: DistillationPlan, images: np.ndarray) -> np.ndarray:
    """Returns the mean of the teachers' probabilities, by their first networks, in processes of the running Ray.

    Not in this one: on a GPU, the memory that it took would be missing where the network is trained.

    Args:
        plan: Of the distillation.
        images: (rows, height, width[, 3]) uint8.

    Returns:
        (rows, classes) float32, rows sum to 1.
    """
    from digits_ray.scheduling import predict_on_cluster

    archives = [plan.directory.members.intact_model_file(number) for number in plan.teachers.member_ids]
    backend = device.installed_backend(plan.teachers.config.members.recipe.backend)
    address = cluster_address(plan.config.resources) or "local"  # Ray runs already
    with captured_stderr():  # Ray warns that actors which take their arguments from its store may not start again
        return predict_on_cluster(archives, backend, images, address, lambda rows: None)


def _compare(plan: DistillationPlan, stages: Stages) -> None:
    """Adds to metrics.json how the network compares with its teachers, once for each time that it is written."""
    directory, inputs = stages.directory, stages.inputs
    metrics = directory.read_json(layout.METRICS) or {}
    if metrics.get("distillation") or metrics.get("status") != "done":
        return
    stages.state.claim(stages.callbacks.on_wait_for_directory)
    speed = measure_speed(Run(directory), plan.ensemble, inputs.data.images)
    compared = compare_with_teachers(plan.directory, plan.teachers, directory, inputs, speed)
    directory.write_json(layout.METRICS, {**metrics, "distillation": compared.to_json()})
