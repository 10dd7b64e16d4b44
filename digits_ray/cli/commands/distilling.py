"""`digits-ray distil`."""

import click

from digits_ray.cli.commands.options import cluster_address_option, quiet_option
from digits_ray.cli.interrupts import Interrupted, is_interrupt


@click.command()
@click.argument("run_dir")
@click.option("--architecture", metavar="NAME|FILE.py:FUNCTION", help="Network to train. [default: the run's first]")
@click.option("--epochs", type=int, metavar="N", help="Passes over the training rows. [default: the members']")
@click.option("--train", metavar="PATH", help="Labelled images, if they have moved since the run.")
@click.option("--test", metavar="PATH", help="Images to label, if they have moved.")
@click.option("--holdout", metavar="PATH", help="Holdout, if it has moved.")
@cluster_address_option
@quiet_option
def distil(
    run_dir: str,
    architecture: str | None,
    epochs: int | None,
    train: str | None,
    test: str | None,
    holdout: str | None,
    address: str | None,
    quiet: bool,
) -> None:
    """Train one network that learns from a finished run's ensemble.

    The network goes to RUN_DIR/distilled, which is a run directory, too. The same command resumes where an earlier one
    stopped.
    """
    from digits_ray.cli.terminal import ProgressCallback, console, files_written, last_screen
    from digits_ray.runs import plan_distillation, run_distillation

    inputs = {"train": train, "test": test, "holdout": holdout}
    plan = plan_distillation(run_dir, architecture, epochs, address, inputs)
    for note in plan.notes:
        click.echo(note, err=True)
    try:
        finished = run_distillation(plan, [ProgressCallback(quiet)])
    except BaseException as error:
        if is_interrupt(error):
            raise Interrupted("Stopped. The same command goes on from the last saved epoch.") from None
        raise
    if not quiet:
        console().print(last_screen(finished.metrics))
        networks = plan.config.members.architectures
        console().print(files_written(finished.metrics, str(plan.config.out), networks), soft_wrap=True)  # to be pasted
