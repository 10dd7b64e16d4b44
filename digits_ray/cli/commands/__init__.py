"""The commands of `digits-ray`, a file a group. Each imports what it needs when it runs, so that `--help` is quick."""

import click

from digits_ray.cli.commands.comparison import compare
from digits_ray.cli.commands.distilling import distil
from digits_ray.cli.commands.exporting import export
from digits_ray.cli.commands.jobs import attach, submit
from digits_ray.cli.commands.planning import doctor, presets
from digits_ray.cli.commands.results import predict, report, status
from digits_ray.cli.commands.serving import serve
from digits_ray.cli.commands.training import run, tune
from digits_ray.version import __version__

__all__ = ["cli"]


@click.group(
    commands=[run, tune, submit, attach, report, status, predict, distil, compare, serve, export, presets, doctor],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="digits-ray")
def cli() -> None:
    """Train an ensemble of CNNs on labelled small images, from a laptop to a GPU cluster.

    With no flags, `digits-ray run` trains on the handwritten digits that ship with scikit-learn.
    """
