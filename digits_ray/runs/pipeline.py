"""The straight line from files or arrays to a submission."""

import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from digits_ray import data as datasets
from digits_ray.config import DEFAULT_PRESET, Config
from digits_ray.errors import UserError
from digits_ray.imports import importing_meanwhile
from digits_ray.runs.callbacks import CallbackList, RunCallback
from digits_ray.runs.finished_run import Run
from digits_ray.runs.inputs import GivenArrays, check_inputs, load_data
from digits_ray.runs.networks import try_networks, with_network_hashes
from digits_ray.runs.run_arguments import config_and_arrays
from digits_ray.runs.run_path import resolve_out
from digits_ray.runs.stages import Stages
from digits_ray.scheduling import imports_uninterrupted, ray_session, resources, tolerated_warnings
from digits_ray.storage import settings_of_run


def run(
    config: Config | str = DEFAULT_PRESET,
    callbacks: Sequence[RunCallback] | None = None,
    *,
    train: Any = None,
    test: Any = None,
    holdout: Any = None,
    groups: Any = None,
    out: str | Path | None = None,
    view: RunCallback | None = None,
    report: bool = True,
) -> Run:
    """Trains what is missing of the ensemble; writes its submission, scores and models to the run directory.

    The data are files or arrays; without any, the handwritten digits inside scikit-learn. The same call continues a
    run, whichever they are.

    Args:
        config: A preset's name; or all settings, as `load_config` returns them.
        callbacks: Called with the events of the run, in this order; see `RunCallback`. Without any, the progress is
            shown as `ProgressCallback` does; an empty list shows nothing but warnings.
        train: A path, in the place of `config.data.train`; or a pair (images, labels) of arrays, or of what
            `np.asarray` takes. Images (rows, height, width), or (rows, height, width, 1 or 3), uint8; labels (rows,),
            any strings or whole numbers. Flat images, (rows, pixels), are square; floats of 0 … 1 are scaled.
        test: Images to label, alike, in the place of `config.data.test`; or a pair (images, labels), whose labels score
            the ensemble once, at the end, and choose nothing.
        holdout: A path or a pair, as `train`, in the place of `config.data.holdout`: it scores and chooses nothing.
        groups: (rows,) a writer or patient for each training image, any strings or whole numbers; or the name of the
            column, in the place of `config.split.groups`: the rows of each stay on one side of the split.
        out: The run directory, a path or URI, in the place of `config.out`. Without either, a new one, runs/<UTC time>.
        view: The name that `callbacks` had before 0.2, for one of them; gone in 0.3.
        report: Whether report.html is drawn; `digits-ray report` draws it later, too.

    Returns:
        The finished run, as `load_run` loads it.

    Raises:
        UserError: something that the user must change: a file, a setting, the resources asked for.
        TypeError: `config` is neither a name nor settings.
        RunError: fewer than `members.min_members` could be trained.
    """
    events = callback_list(callbacks or (), view)
    inputs = {"train": train, "test": test, "holdout": holdout, "groups": groups}
    config, arrays = config_and_arrays(config, out, inputs)
    return run_stages(config, events, arrays, with_members=True, with_report=report)


def tune(
    config: Config | str = DEFAULT_PRESET,
    callbacks: Sequence[RunCallback] | None = None,
    *,
    train: Any = None,
    test: Any = None,
    holdout: Any = None,
    groups: Any = None,
    out: str | Path | None = None,
    view: RunCallback | None = None,
) -> Run:
    """Searches what is missing of the classical baselines, and nothing else, in the same run directory.

    Members that are there already stay and are compared with; `run` on the same directory adds those that are missing.
    Arguments, result and errors as for `run`.
    """
    events = callback_list(callbacks or (), view)
    inputs = {"train": train, "test": test, "holdout": holdout, "groups": groups}
    config, arrays = config_and_arrays(config, out, inputs)
    config = replace(config, baselines=replace(config.baselines, enabled=True))
    return run_stages(config, events, arrays, with_members=False)


def run_stages(
    config: Config, callbacks: CallbackList, arrays: GivenArrays, *, with_members: bool, with_report: bool = True
) -> Run:
    """Load, split, resume, train, refit, search, combine, report."""
    refuse_teachers(config)
    started = time.monotonic()
    with callbacks.running(), tolerated_warnings(), imports_uninterrupted():
        config = check_settings(config, callbacks)
        with importing_meanwhile("sklearn.model_selection"):  # a second, for the split
            data = load_data(config, arrays, callbacks.on_data_progress)
        folds = datasets.split(data, config.split, config.seed)
        inputs = check_inputs(config, data, folds, with_members=with_members)
        with closing(Stages(inputs, callbacks, started, early_report=with_report)) as stages:
            callbacks.on_data_loaded(inputs.data, inputs.check, folds)
            missing = stages.resume(with_members=with_members)
            if missing.members:
                shape, num_classes = inputs.data.images.shape[1:], len(inputs.data.classes)
                try_networks(config, shape, num_classes, callbacks.on_network_check)
            if missing:
                with ray_session(config.resources):
                    stages.train(missing.members)
                    stages.refit(missing.refits)
                    stages.search(missing.baselines)
                    if with_report:
                        stages.begin_report()
            stages.combine()
            if with_report:
                stages.report(missing)
        return Run(stages.directory)


def refuse_teachers(config: Config) -> None:
    """Raises UserError where the settings are those of a distilled network, which `distil` alone can teach."""
    if config.members.teachers:
        raise UserError(
            "members.teachers is set: these are the settings of a distilled network. Continue it by `digits-ray distil "
            "RUN_DIR`, with the directory of the run whose members teach it."
        )


def check_settings(config: Config, callbacks: RunCallback) -> Config:
    """Returns the configuration with its `out`, once it is sure that Ray can give what it asks for.

    A directory keeps the recipe that it was made with where only its preset's definition has changed since.

    Raises:
        UserError: naming the setting.
    """
    resources.check_gpu_quantity(config.resources.gpus_per_member)
    out = resolve_out(config)
    config, reason = settings_of_run(out, with_network_hashes(replace(config, out=out)))
    callbacks.on_settings(config)
    if reason:
        callbacks.on_recipe_kept(config, reason)
    return config


def callback_list(callbacks: Sequence[RunCallback] | RunCallback, view: RunCallback | None) -> CallbackList:
    """Puts the callbacks together, those given as before 0.2 included: as `view`, or one by itself."""
    given = [*callbacks] if isinstance(callbacks, Iterable) else [callbacks]
    if not all(isinstance(callback, RunCallback) for callback in given):
        raise TypeError(
            f"callbacks={callbacks!r}: a list of RunCallback instances is expected, e.g. ProgressCallback()."
        )
    if view is not None or isinstance(callbacks, RunCallback):
        stack_level = 4  # the caller of `digits_ray.run`
        warnings.warn("run(config, view=…) is now run(config, callbacks=[…])", DeprecationWarning, stack_level)
    return CallbackList(given if view is None else [*given, view])
