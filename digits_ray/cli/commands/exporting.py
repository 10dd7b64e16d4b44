"""`digits-ray export`."""

import click

from digits_ray.cli.commands.options import own_networks_option


@click.command()
@click.argument("run_dir")
@click.option(
    "--format", "format_name", required=True, type=click.Choice(["keras", "onnx", "tflite"]), help="Format of the file."
)
@click.option("--members", default="all", metavar="all|0,3,7", help="Ids of the members to export. [default: all]")
@click.option("--output", required=True, metavar="PATH", help="File to write: .keras, .onnx or .tflite.")
@own_networks_option
def export(run_dir: str, format_name: str, members: str, output: str, architectures: tuple[str, ...]) -> None:
    """Write the ensemble as one file that needs no digits_ray."""
    from rich.filesize import decimal

    from digits_ray.export import export_run
    from digits_ray.scheduling import captured_stderr

    with captured_stderr():  # what TensorFlow prints when it starts
        done = export_run(run_dir, format_name, output, members, architectures)
    checked = done.agreement
    count = "1 member" if len(done.member_ids) == 1 else f"the mean of {len(done.member_ids)} members"
    click.echo(f"{done.output}: {count}, {decimal(done.size)}.")
    click.echo(
        f"Checked in {done.format.runtime} on {checked.rows:,} {done.rows_kind}: largest difference"
        f" {checked.largest_difference:.0e}, {checked.changed_labels} changed labels."
    )
