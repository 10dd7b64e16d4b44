"""Options that several commands share, and the configuration that they make up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from digits_ray.config import Config

# The layouts that files of images may have. The comments in config/schema.py use the same words.
IMAGE_LAYOUTS = "CSV, Parquet, NumPy, IDX or pictures"


def config_options(command: Any) -> Any:
    """Adds the options that make up a configuration."""
    return _with_options(command, [*_data_options(), *_network_options(hidden=False), *_general_options()])


def search_options(command: Any) -> Any:
    """Adds the same options, those of the networks hidden: a search takes them for the run that adds the networks."""
    return _with_options(command, [*_data_options(), *_network_options(hidden=True), *_general_options()])


def _with_options(command: Any, options: list[Any]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command


def _data_options() -> list[Any]:
    return [
        click.option("--config", "config_file", metavar="FILE.yaml", help="Settings; see `digits-ray presets fast`."),
        click.option("--train", metavar="PATH", help=f"Labelled images: {IMAGE_LAYOUTS}."),
        click.option("--test", metavar="PATH", help=f"Images to label: {IMAGE_LAYOUTS}."),
        click.option("--holdout", metavar="PATH", help="Labelled images that only score, instead of a split."),
        click.option("--out", metavar="DIR", help="Run directory: a path, s3:// or gs://. [default: runs/<UTC time>]"),
        click.option("--preset", metavar="NAME", help="Preset of `digits-ray presets`. [default: fast]"),
    ]


def _network_options(hidden: bool) -> list[Any]:
    return [
        click.option("--members", type=int, metavar="N", hidden=hidden, help="Number of CNNs in the ensemble."),
        click.option(
            "--architecture", "architectures", multiple=True, metavar="NAME", hidden=hidden,
            help="Built-in network or FILE.py:FUNCTION. Repeat it to mix networks.",
        ),
        click.option("--epochs", type=int, metavar="N", hidden=hidden, help="Passes over the training rows."),
        click.option(
            "--refit-on-all", is_flag=True, default=None, hidden=hidden,
            help="After scoring, train again on all labelled rows, to predict with. Takes twice as long.",
        ),
        click.option(
            "--gpus-per-member", metavar="F", hidden=hidden,
            help="GPUs: 0.05 … 1, or 2, 3, …; 0 trains on CPUs. [default: auto]",
        ),
        click.option("--cpus-per-member", metavar="N", hidden=hidden, help="CPU cores. [default: auto]"),
    ]  # fmt: skip


def _general_options() -> list[Any]:
    return [
        click.option("--seed", type=int, metavar="N", help="Seed of everything random. [default: 0]"),
        click.option("--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="Any other setting."),
    ]


own_networks_option = click.option(
    "--architecture", "architectures", multiple=True, metavar="FILE.py:FUNCTION",
    help="Network of your own that the run was made with, if it has layers of its own.",
)  # fmt: skip
no_baselines_option = click.option(
    "--no-baselines", is_flag=True, help="Skip the classical baselines: KNN, tree and forests."
)
cluster_address_option = click.option(
    "--address", metavar="ADDR", help="Address of a running Ray cluster. [default: start Ray here]"
)
predict_address_option = click.option(
    "--address", metavar="ADDR", help="Address of a Ray cluster to predict on. [default: this process]"
)
dashboard_address_option = click.option(
    "--address", metavar="URL", help="Address of Ray's dashboard. [default: $RAY_API_SERVER_ADDRESS, or port 8265 here]"
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")


def config_from_flags(flags: Mapping[str, Any], no_baselines: bool = False) -> "Config":
    """Returns the configuration that the values of `config_options` (and `--address`) make up.

    Raises:
        UserError: an unknown setting, or a value of the wrong kind.
    """
    from digits_ray.config import FLAG_OF_SETTING, load_config
    from digits_ray.storage import read_file

    values = {key: flags.get(flag.removeprefix("--").replace("-", "_")) for key, flag in FLAG_OF_SETTING.items()}
    values["members.architectures"] = list(flags.get("architectures") or ()) or None
    for key in ("resources.gpus_per_member", "resources.cpus_per_member"):
        values[key] = _number(values[key])
    settings = [*flags["settings"], *(["baselines.enabled=false"] if no_baselines else [])]
    return load_config(values.pop("preset"), flags["config_file"], values, settings, read_file)


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
