"""What can be done with a run directory: `digits-ray report`, `status`, `predict`."""

import click

from digits_ray.cli.commands.options import IMAGE_LAYOUTS, own_networks_option, predict_address_option, quiet_option


@click.command()
@click.argument("run_dir")
@own_networks_option
@quiet_option
def report(run_dir: str, architectures: tuple[str, ...], quiet: bool) -> None:
    """Draw report.html again, from the run directory alone."""
    from digits_ray.cli.terminal import ProgressCallback
    from digits_ray.report import draw_report
    from digits_ray.runs import CallbackList, give_networks
    from digits_ray.storage import RunDirectory

    config = RunDirectory.existing(run_dir).config()
    give_networks(config, architectures)
    progress = ProgressCallback(quiet)
    with CallbackList([progress]).running():
        progress.on_settings(config)
        page = draw_report(run_dir, progress.on_report_step)
    if not quiet:
        click.echo(page)


@click.command()
@click.argument("run_dir")
def status(run_dir: str) -> None:
    """Show how far a run is.

    RUN_DIR is a path, s3:// or gs:// that this machine can read, wherever the run itself is.
    """
    from digits_ray.cli.terminal import console, status_screen
    from digits_ray.runs import status_of

    console().print(status_screen(status_of(run_dir)))


@click.command()
@click.argument("run_dir")
@click.option("--input", "input_path", required=True, metavar="PATH", help=f"Images: {IMAGE_LAYOUTS}.")
@click.option("--output", "output_path", required=True, metavar="PATH", help="CSV file to write: ImageId,Label.")
@click.option("--proba", is_flag=True, help="Add a column with the probability of each class.")
@click.option(
    "--sets", type=float, metavar="LEVEL", help="Add sets of classes that hold the true one at this rate, e.g. 0.99."
)
@click.option(
    "--abstain",
    type=float,
    metavar="ACCURACY",
    help="Leave uncertain labels blank, so that the others are this accurate, e.g. 0.999.",
)
@own_networks_option
@predict_address_option
def predict(
    run_dir: str,
    input_path: str,
    output_path: str,
    proba: bool,
    sets: float | None,
    abstain: float | None,
    architectures: tuple[str, ...],
    address: str | None,
) -> None:
    """Label new images with a finished run's ensemble."""
    from digits_ray.cli.terminal import prediction_progress
    from digits_ray.data import match_pixel_scale, read_images, refuse_other_shape
    from digits_ray.runs import DecisionOptions, decide, load_run
    from digits_ray.scheduling import captured_stderr
    from digits_ray.storage import check_output, refuse_to_overwrite, write_file

    check_output(output_path)
    refuse_to_overwrite(input_path, output_path)
    ensemble, options = load_run(run_dir, architectures), DecisionOptions(proba, sets, abstain)
    options.check(ensemble)
    config = ensemble.config
    file = read_images(input_path, labelled=False, settings=config.data, groups=config.split.groups)
    images = match_pixel_scale(input_path, file, ensemble.pixel_scale).images
    refuse_other_shape(run_dir, ensemble.image_shape, input_path, images.shape[1:])
    ensemble.check(images)
    with prediction_progress(len(images)) as on_rows, captured_stderr():  # what TensorFlow prints when it starts
        decisions = decide(ensemble, images, options, address=address, on_rows=on_rows)
    write_file(output_path, decisions.to_csv(config.submission, file))
    click.echo(f"{output_path}: {len(images):,} labels by {len(ensemble.member_ids)} members.")
    for note in decisions.notes:
        click.echo(note)
