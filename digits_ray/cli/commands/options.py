"""Options that several commands share, and the configuration that they make up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from digits_ray.config import Config


def config_options(command: Any) -> Any:
    """Adds the options that make up a configuration."""
    options = [
        click.option("--config", "config_file", metavar="FILE.yaml", help="Settings; see `digits-ray presets fast`."),
        click.option(
            "--train", metavar="PATH", help="Labelled images: CSV, Parquet, NumPy, IDX or a folder of pictures."
        ),
        click.option("--test", metavar="PATH", help="Images to label, in the same layout."),
        click.option("--holdout", metavar="PATH", help="Labelled images that only score, in the place of a split."),
        click.option("--out", metavar="DIR", help="Run directory: a path, s3:// or gs://. [default: runs/<UTC time>]"),
        click.option("--preset", metavar="NAME", help="See `digits-ray presets`. [default: fast]"),
        click.option("--members", type=int, metavar="N", help="CNNs in the ensemble."),
        click.option(
            "--architecture",
            "architectures",
            multiple=True,
            metavar="NAME",
            help="Built-in network, or your own: FILE.py:FUNCTION. Several: in turn.",
        ),
        click.option("--epochs", type=int, metavar="N", help="Passes over the training rows."),
        click.option(
            "--refit-on-all",
            is_flag=True,
            default=None,
            help="Once scored, train all members again on all labelled rows, to predict with. Costs twice.",
        ),
        click.option("--gpus-per-member", metavar="F", help="0.05 … 1, or 2, 3, …; 0: train on CPUs. [default: auto]"),
        click.option("--cpus-per-member", metavar="N", help="[default: auto]"),
        click.option("--seed", type=int, metavar="N", help="All randomness follows from it. [default: 0]"),
        click.option("--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="Any other setting."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


own_networks_option = click.option(
    "--architecture", "architectures", multiple=True, metavar="FILE.py:FUNCTION",
    help="Your own network that the run was made with, where it has layers of its own.",
)  # fmt: skip
no_baselines_option = click.option("--no-baselines", is_flag=True, help="Leave out KNN, decision tree and forest.")
cluster_address_option = click.option(
    "--address", metavar="ADDR", help="Of a running Ray cluster. [default: start Ray here]"
)
predict_address_option = click.option(
    "--address", metavar="ADDR", help="Of a Ray cluster that predicts. [default: this process does]"
)
dashboard_address_option = click.option(
    "--address", metavar="URL", help="Of the cluster's dashboard. [default: $RAY_API_SERVER_ADDRESS, or port 8265 here]"
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
