"""What can be asked before a run: `digits-ray presets`, `doctor`."""

from typing import Any

import click

from digits_ray.cli.commands.options import cluster_address_option, config_from_flags, config_options
from digits_ray.errors import UserError


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or print one in full for --config."""
    from digits_ray.config import preset_yaml, presets

    if name:
        click.echo(preset_yaml(name), nl=False)
        return
    from digits_ray.cli.terminal import console, presets_table

    console().print(presets_table(presets()))


@click.command()
@config_options
@cluster_address_option
def doctor(**flags: Any) -> None:
    """Check what this machine or cluster has and what is missing.

    The flags are those of `digits-ray run`: doctor also shows what that run would use.
    """
    from digits_ray.cli.terminal import console, facts_table
    from digits_ray.doctor import examine

    findings = examine(config_from_flags(flags))
    console().print(facts_table(findings.facts))
    if findings.problems:
        raise UserError("\n".join(findings.problems))
