"""`digits-ray run` and `tune`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from digits_ray.cli.commands.options import (
    cluster_address_option,
    config_from_flags,
    config_options,
    no_baselines_option,
    quiet_option,
    search_options,
)
from digits_ray.cli.interrupts import Interrupted, how_to_continue, is_interrupt

if TYPE_CHECKING:
    from digits_ray.config import Config
    from digits_ray.runs import Run, RunCallback


@click.command()
@config_options
@cluster_address_option
@no_baselines_option
@quiet_option
def run(quiet: bool, no_baselines: bool, **flags: Any) -> None:
    """Train the ensemble and write its submission.

    The same command with the same --out resumes where an earlier one stopped.
    """
    from digits_ray.runs import pipeline

    _train(pipeline.run, config_from_flags(flags, no_baselines), quiet)


@click.command()
@search_options
@cluster_address_option
@quiet_option
def tune(quiet: bool, **flags: Any) -> None:
    """Search the classical baselines alone.

    These are k nearest neighbours, a decision tree and forests. To train networks in the same directory, `digits-ray
    run` needs the same settings: give --epochs, --architecture and the like here, too.
    """
    from digits_ray.runs import pipeline

    _train(pipeline.tune, config_from_flags(flags), quiet)


def _train(pipeline: "Callable[[Config, Sequence[RunCallback]], Run]", config: "Config", quiet: bool) -> None:
    """Runs `pipeline.run` or `pipeline.tune`, shows its progress, and its results at the end."""
    from digits_ray.cli.terminal import ProgressCallback, console, files_written, last_screen
    from digits_ray.runs import resolve_out

    config = replace(config, out=resolve_out(config))  # so that an interrupted run can say how to continue it
    try:
        finished = pipeline(config, [ProgressCallback(quiet)])
    except BaseException as error:
        if is_interrupt(error):
            raise Interrupted(how_to_continue(config)) from None
        raise
    if not quiet:
        console().print(last_screen(finished.metrics))
        networks = config.members.architectures
        console().print(files_written(finished.metrics, str(config.out), networks), soft_wrap=True)  # to be pasted
