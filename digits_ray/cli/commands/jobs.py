"""`digits-ray submit` and `attach`: a run as a Ray job on a cluster."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from digits_ray.cli.commands.options import (
    config_from_flags,
    config_options,
    dashboard_address_option,
    no_baselines_option,
    quiet_option,
)
from digits_ray.cli.interrupts import Interrupted

if TYPE_CHECKING:
    from digits_ray.ray_jobs import Dashboard


@click.command()
@config_options
@no_baselines_option
@dashboard_address_option
@click.option("--no-wait", is_flag=True, help="Print the job's id instead of following the job.")
@click.option(
    "--packages", type=click.Choice(["pip", "uv", "none"]), default="pip", show_default=True,
    help="Installer of the packages on the nodes; none: they are there.",
)  # fmt: skip
@click.option("--extra", "extras", multiple=True, metavar="NAME", help="More packages: gpu, jax or jax-cuda.")
@click.option("--runtime-env", metavar="FILE.yaml", help="Ray's runtime_env of the job.")
@quiet_option
def submit(
    address: str | None, no_wait: bool, packages: str, extras: tuple[str, ...], runtime_env: str | None,
    quiet: bool, no_baselines: bool, **flags: Any,
) -> int:  # fmt: skip
    """Train the ensemble on a cluster, as a Ray job.

    Code, settings and local --train, --test and --holdout travel with the job. With a relative --out, the files that
    people open are fetched at the end. Ctrl-C leaves the job running. The exit code is the run's.
    """
    from digits_ray.ray_jobs import Dashboard, JobUpload, default_address, job_environment, submit_job

    environment = job_environment(packages, extras, runtime_env)
    upload = JobUpload.from_config(config_from_flags(flags, no_baselines))
    dashboard = Dashboard(address or default_address())
    job_id = submit_job(dashboard, upload, environment, ["--quiet"] if quiet else [], _line_printer(quiet))
    if no_wait:
        click.echo(job_id)
        return 0
    return _follow(dashboard, job_id, quiet)


@click.command()
@click.argument("job_id")
@dashboard_address_option
@quiet_option
def attach(job_id: str, address: str | None, quiet: bool) -> int:
    """Follow a job on a cluster to its end.

    Ctrl-C leaves the job running. The exit code is the run's.
    """
    from digits_ray.ray_jobs import Dashboard, default_address

    dashboard = Dashboard(address or default_address())
    dashboard.job(job_id)  # refuses an unknown one
    return _follow(dashboard, job_id, quiet)


def _follow(dashboard: "Dashboard", job_id: str, quiet: bool) -> int:
    """Prints a job's log to its end; returns the run's exit code."""
    from digits_ray.ray_jobs import JobFollower, attach_command, stop_command

    print_line = _line_printer(quiet)
    print_line(f"Following job {job_id} at {dashboard.address}; Ctrl-C leaves it running.")
    try:
        return JobFollower(dashboard, job_id, lambda text: click.echo(text, nl=False), print_line).follow()
    except KeyboardInterrupt:
        commands = f"  {attach_command(dashboard, job_id)}\n  {stop_command(dashboard, job_id)}"
        raise Interrupted(f"The job goes on. To follow it again, or to stop it:\n{commands}") from None


def _line_printer(quiet: bool) -> Callable[[str], None]:
    return (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
