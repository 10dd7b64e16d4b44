"""`digits-ray serve`."""

from typing import TYPE_CHECKING

import click

from digits_ray.cli.commands.options import cluster_address_option, own_networks_option

if TYPE_CHECKING:
    from digits_ray.serving import ServeSettings
    from digits_ray.serving.server import Serving


@click.command()
@click.argument("run_dir")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; any but loopback needs --token."
)
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option(
    "--token", envvar="DIGITS_RAY_TOKEN", metavar="T", help="Token that requests must carry. [env: DIGITS_RAY_TOKEN]"
)
@click.option("--replicas", default=1, show_default=True, metavar="N", help="Number of processes that predict.")
@cluster_address_option
@own_networks_option
def serve(
    run_dir: str,
    host: str,
    port: int,
    token: str | None,
    replicas: int,
    address: str | None,
    architectures: tuple[str, ...],
) -> None:
    """Serve a finished run over HTTP, with a page to draw on.

    On a cluster (--address), the server stays up after the command ends. Run the command again to load a newer run.
    """
    from digits_ray.serving import ServeSettings, serve_run

    settings = ServeSettings(run_dir, host, port, token, replicas, address, architectures)
    click.echo(f"{run_dir}: loading and compiling the ensemble …")
    serve_run(settings, lambda serving: _print_ready(serving, settings))


def _print_ready(serving: "Serving", settings: "ServeSettings") -> None:
    click.echo(f"{settings.run_dir}: {serving.members} members answer at {serving.url}")
    header = '-H "Authorization: Bearer $DIGITS_RAY_TOKEN" ' if settings.token else ""
    click.echo(f"curl {header}--data-binary @digit.png {serving.url}predict")
    click.echo(f"Prometheus metrics: {serving.metrics_url}")
    click.echo("The page asks for the token." if settings.token else "This machine alone can reach it.")
    if settings.address is None:
        click.echo("Ctrl-C ends it.")
