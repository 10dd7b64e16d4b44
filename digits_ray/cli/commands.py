"""The command line: flags, exit codes, what the terminal shows.

Nothing heavy is imported at the top, so that `digits-ray --help` answers at once.
"""

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from digits_ray.errors import UserError
from digits_ray.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from digits_ray.config import Config
    from digits_ray.ray_jobs import Dashboard
    from digits_ray.runs import Run, RunCallback


LOG_WIDTH = 120  # columns, where there is no terminal to ask


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="digits-ray")
def cli() -> None:
    """Train an ensemble of CNNs on labelled small images, from a laptop to a GPU cluster.

    With no flags, `digits-ray run` trains on the handwritten digits that ship with scikit-learn.
    """


def configuration(command: Any) -> Any:
    """Adds the flags that make up a configuration."""
    options = [
        click.option("--config", "config_file", metavar="FILE.yaml", help="Settings; see `digits-ray presets fast`."),
        click.option("--train", metavar="PATH", help="Labelled images: .csv, .csv.gz, .parquet or .npz."),
        click.option("--test", metavar="PATH", help="Images to label, in the same layout."),
        click.option("--out", metavar="DIR", help="Run directory: a path, s3:// or gs://. [default: runs/<UTC time>]"),
        click.option("--preset", metavar="NAME", help="See `digits-ray presets`. [default: fast]"),
        click.option("--members", type=int, metavar="N", help="CNNs in the ensemble."),
        click.option("--epochs", type=int, metavar="N", help="Passes over the training rows, exactly so many."),
        click.option("--gpus-per-member", metavar="F", help="0.05 … 1, or 2, 3, …; 0: train on CPUs. [default: auto]"),
        click.option("--cpus-per-member", metavar="N", help="[default: auto]"),
        click.option("--seed", type=int, metavar="N", help="Everything random follows from it. [default: 0]"),
        click.option("--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="Any other setting."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


without_baselines = click.option("--no-baselines", is_flag=True, help="Leave out KNN, decision tree and forest.")
on_cluster = click.option("--address", metavar="ADDR", help="Of a running Ray cluster. [default: start Ray here]")
through_dashboard = click.option(
    "--address", metavar="URL", help="Of the cluster's dashboard. [default: $RAY_API_SERVER_ADDRESS, or port 8265 here]"
)
quietly = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")


@cli.command()
@configuration
@on_cluster
@without_baselines
@quietly
def run(quiet: bool, no_baselines: bool, **flags: Any) -> None:
    """Train the ensemble and write its submission.

    The same command with the same --out goes on where an earlier one stopped.
    """
    from digits_ray.runs import pipeline

    _go(pipeline.run, _config(flags, no_baselines), quiet)


@cli.command()
@configuration
@on_cluster
@quietly
def tune(quiet: bool, **flags: Any) -> None:
    """Search the classical baselines alone: KNN, decision tree, forests."""
    from digits_ray.runs import pipeline

    _go(pipeline.tune, _config(flags), quiet)


@cli.command()
@configuration
@without_baselines
@through_dashboard
@click.option("--no-wait", is_flag=True, help="Do not follow the job; print its id.")
@click.option(
    "--packages", type=click.Choice(["pip", "uv", "none"]), default="pip", show_default=True,
    help="What installs what digits-ray needs on the nodes; none: it is there.",
)  # fmt: skip
@click.option("--extra", "extras", multiple=True, metavar="NAME", help="gpu or jax: packages beyond the usual.")
@click.option("--runtime-env", metavar="FILE.yaml", help="Ray's runtime_env for the job, e.g. env_vars.")
@quietly
def submit(
    address: str | None, no_wait: bool, packages: str, extras: tuple[str, ...], runtime_env: str | None,
    quiet: bool, no_baselines: bool, **flags: Any,
) -> int:  # fmt: skip
    """Train the ensemble on a cluster, as a Ray job; exits with the run's code.

    Code, settings and local --train and --test travel with the job. With a relative --out, the files that people open
    are fetched at the end. Ctrl-C leaves the job running.
    """
    from digits_ray.ray_jobs import Dashboard, default_address
    from digits_ray.ray_jobs import submit as jobs

    environment = jobs.environment(packages, extras, runtime_env)
    upload = jobs.Upload.of(_config(flags, no_baselines))
    place = Dashboard(address or default_address())
    job_id = jobs.submit(place, upload, environment, ["--quiet"] if quiet else [], _teller(quiet))
    if no_wait:
        click.echo(job_id)
        return 0
    return _follow(place, job_id, quiet)


@cli.command()
@click.argument("job_id")
@through_dashboard
@quietly
def attach(job_id: str, address: str | None, quiet: bool) -> int:
    """Follow a job on a cluster to its end; exits with the run's code."""
    from digits_ray.ray_jobs import Dashboard, default_address

    place = Dashboard(address or default_address())
    place.job(job_id)
    return _follow(place, job_id, quiet)


@cli.command()
@click.argument("run_dir")
@quietly
def report(run_dir: str, quiet: bool) -> None:
    """Draw report.html again, from the run directory alone."""
    from digits_ray.report import draw_report
    from digits_ray.runs import CallbackList
    from digits_ray.storage import RunDirectory

    view = _view(RunDirectory.existing(run_dir).config(), quiet)
    with CallbackList([view]).running():
        page = draw_report(run_dir, view.on_report_step)
    if not quiet:
        click.echo(page)


@cli.command()
@click.argument("run_dir")
def status(run_dir: str) -> None:
    """Show how far a run is, from anywhere that sees its directory (a path, s3:// or gs://)."""
    from digits_ray.cli.terminal import status_screen
    from digits_ray.runs import status_of

    _console().print(status_screen(status_of(run_dir)))


@cli.command()
@click.argument("run_dir")
@click.option("--input", "input_path", required=True, metavar="PATH", help="Images: .csv, .csv.gz, .parquet or .npz.")
@click.option("--output", "output_path", required=True, metavar="PATH", help="Where to write ImageId,Label as CSV.")
def predict(run_dir: str, input_path: str, output_path: str) -> None:
    """Label new images with a finished run's ensemble."""
    import numpy as np

    from digits_ray.data import read_images
    from digits_ray.ensemble import submission
    from digits_ray.runs import load_run
    from digits_ray.scheduling import captured_stderr
    from digits_ray.storage import check_output, write_file

    check_output(output_path)
    ensemble = load_run(run_dir)
    images = read_images(input_path, labelled=False).images
    ensemble.check(images)
    with captured_stderr():  # TensorFlow's start-up chatter
        labels = ensemble.predict(images)
    write_file(output_path, submission.to_csv(np.arange(len(images)), labels, len(images)))
    click.echo(f"{output_path}: {len(labels):,} labels by {len(ensemble.member_ids)} members.")


@cli.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or print one in full, ready for --config."""
    from digits_ray.config import loading

    if name:
        click.echo(loading.config_to_yaml(loading.load_config(preset=name)), nl=False)
        return
    from digits_ray.cli.terminal import facts_table

    for preset_name, preset in loading.presets().items():
        click.secho(preset_name, bold=True)
        _console().print(facts_table(list(preset.about.items())))


@cli.command()
@configuration
@on_cluster
def doctor(**flags: Any) -> None:
    """Tell what this machine or cluster has, what the run would use, what is missing."""
    from digits_ray.cli.terminal import facts_table
    from digits_ray.doctor import examine

    findings = examine(_config(flags))
    _console().print(facts_table(findings.facts))
    if findings.problems:
        raise UserError("\n".join(findings.problems))


def _go(command: "Callable[[Config, Sequence[RunCallback]], Run]", config: "Config", quiet: bool) -> None:
    """Runs `pipeline.run` or `pipeline.tune` with what the terminal shows meanwhile and at the end."""
    config = _with_place(config)
    try:
        finished = command(config, [_view(config, quiet)])
    except BaseException as error:
        if _is_interrupt(error):
            raise Interrupted(_how_to_go_on(config)) from None
        raise
    if not quiet:
        from digits_ray.cli.terminal import last_screen

        _console().print(last_screen(finished.metrics, str(config.out)))


def _is_interrupt(error: BaseException | None) -> bool:
    """Tells whether Ctrl-C is behind an error: while a class is being defined, Python 3.11 makes others of it."""
    return isinstance(error, KeyboardInterrupt) or (error is not None and _is_interrupt(error.__cause__))


def _teller(quiet: bool) -> "Callable[[str], None]":
    return (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))


def _follow(place: "Dashboard", job_id: str, quiet: bool) -> int:
    from digits_ray.ray_jobs import Follower, attach_command, stop_command

    again, stop = attach_command(place, job_id), stop_command(place, job_id)
    say = _teller(quiet)
    say(f"Following job {job_id} at {place.address}; Ctrl-C leaves it running.")
    try:
        return Follower(place, job_id, lambda text: click.echo(text, nl=False), say).follow()
    except KeyboardInterrupt:
        raise Interrupted(f"The job goes on. To follow it again, or to stop it:\n  {again}\n  {stop}") from None


class Interrupted(Exception):  # noqa: N818
    """The user stopped the run (exit code 130)."""


def _config(flags: dict[str, Any], no_baselines: bool = False) -> "Config":
    from digits_ray.config import loading

    flags["settings"] += ("baselines.enabled=false",) if no_baselines else ()
    values = {
        key: flags.get(flag.removeprefix("--").replace("-", "_")) for key, flag in loading.FLAG_OF_SETTING.items()
    }
    if values["members.recipe.epochs"] is not None:
        values["members.recipe.min_steps"] = 0
    for key in ("resources.gpus_per_member", "resources.cpus_per_member"):
        values[key] = _number(values[key])
    return loading.load_config(values.pop("preset"), flags["config_file"], values, flags["settings"])


def _number(text: str | None) -> float | int | str | None:
    """Reads "0.25", "2" or "auto"; anything else stays as it is for the configuration to refuse."""
    if text is None:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _with_place(config: "Config") -> "Config":
    """Settles the run directory, so that an interrupted run can say how to go on."""
    from dataclasses import replace

    from digits_ray.runs import resolve_out

    return replace(config, out=resolve_out(config))


def _how_to_go_on(config: "Config") -> str:
    from digits_ray.scheduling import in_job

    kept = "Stopped. Finished members and trials are kept, other members go on from their last saved epoch"
    if in_job():
        return f"{kept} when the same is submitted again."
    words = ["digits-ray", *sys.argv[1:]]
    if "--out" not in " ".join(words):
        words += ["--out", str(config.out)]
    return f"{kept}:\n  {shlex.join(words)}"


def _view(config: "Config", quiet: bool) -> "RunCallback":
    from digits_ray.cli.terminal import LiveView, LogView, QuietView

    console = _console(stderr=True)
    kind = QuietView if quiet else LiveView if console.is_terminal else LogView
    return kind(console, config.split)


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console
