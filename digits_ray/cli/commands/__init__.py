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


class CommandsInOrder(click.Group):
    """Lists its commands as they were given: click would sort them by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order in which a user meets the commands."""
        return list(self.commands)


@click.group(
    cls=CommandsInOrder,
    commands=[run, status, report, predict, compare, serve, export, distil, tune, submit, attach, presets, doctor],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="digits-ray")
def cli() -> None:
    """Train an ensemble of CNNs on small labelled images, on a laptop, a GPU or a Ray cluster.

    With no flags, `digits-ray run` trains on the handwritten digits that ship with scikit-learn.
    """
