"""Users' own networks in a run: their files read and hashed, and tried before Ray starts."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

from digits_ray.config import Config, OwnNetwork, architecture_name
from digits_ray.encoding import utf_encoding
from digits_ray.errors import UserError
from digits_ray.machine import usable_cpus
from digits_ray.paths import is_remote, local_path
from digits_ray.scheduling import cluster_address
from digits_ray.storage import read_file
from digits_ray.training import device
from digits_ray.training.network_files import NetworkFile, register_networks

MAX_BYTES = 1 << 20  # of a file of Python code; it is sent to every process that trains
MAX_THREADS = 4  # of the process that tries networks: their first steps are short


def with_network_hashes(config: Config) -> Config:
    """Reads the files of users' own networks; returns the configuration with the hash of each one's content.

    Raises:
        UserError: a file cannot be read, is no Python, or has changed since its hash was written down.
    """
    architectures = tuple(_with_hash(architecture) for architecture in config.members.architectures)
    return replace(config, members=replace(config.members, architectures=architectures))


def _with_hash(architecture: str) -> str:
    network = OwnNetwork.parse(architecture)
    if network is None:
        return architecture
    file = read_network(network)
    register_networks([file])
    if network.sha256 not in ("", file.sha256):
        raise UserError(
            f"{network.path}: has changed since the settings were written, which name its hash."
            f" Restore it, or give --architecture {network.path}:{network.function} for what it is now."
        )
    return str(replace(network, sha256=file.sha256))


def read_network(network: OwnNetwork) -> NetworkFile:
    """Reads the file of a user's own network, and executes nothing of it.

    Raises:
        UserError: it cannot be read, or is no Python.
    """
    try:
        if not is_remote(network.path) and local_path(network.path).exists() and not local_path(network.path).is_file():
            raise UserError(f"--architecture {network}: {network.path} is no file. FILE.py:FUNCTION is expected.")
        source = read_file(network.path)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise UserError(
            f"--architecture {network.path}:{network.function}: {network.path}: {reason}. Name a readable Python file."
        ) from None
    if len(source) > MAX_BYTES:
        raise UserError(f"{network.path}: {len(source) / 2**20:.0f} MiB are no file of Python code.")
    _refuse_other_than_python(source, network.path)
    return NetworkFile(network.path, source)


def _refuse_other_than_python(source: bytes, path: str) -> None:
    encoding = utf_encoding(source)
    if not encoding.startswith("utf-8"):
        raise UserError(f"{path}: is text in {encoding.upper()}, which Python does not read. Save it as UTF-8.")
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise UserError(f"{path}{line}: {type(error).__name__}: {error.msg}.") from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise UserError(f"{path}: not Python code ({error}).") from None


def give_networks(config: Config, architectures: Sequence[str]) -> None:
    """Lets this process execute the files that a run's networks were made with.

    Args:
        config: The run's, as its directory has it.
        architectures: FILE.py:FUNCTION each, as given for the run.

    Raises:
        UserError: a file cannot be read, or is not one that the run was made with.
    """
    for architecture in architectures:
        network = _own(architecture)
        file = read_network(network)
        made_with = {own.sha256 for name in config.members.architectures if (own := OwnNetwork.parse(name))}
        if not made_with:
            raise UserError(f"--architecture {architecture}: the run was made with built-in networks. Leave it out.")
        if file.sha256 not in made_with:
            raise UserError(
                f"{network.path}: not the file that the run was made with: its content is another. A copy of that is in"
                " the run directory, below networks."
            )
        register_networks([file])


def _own(architecture: str) -> OwnNetwork:
    try:
        network = OwnNetwork.parse(architecture)
    except ValueError as error:
        raise UserError(f"--architecture: {error}.") from None
    if network is None:
        raise UserError(f"--architecture {architecture}: FILE.py:FUNCTION is expected; built-in networks need no file.")
    return network


def try_networks(
    config: Config, shape: tuple[int, ...], num_classes: int, on_check: Callable[[tuple[str, ...]], None]
) -> None:
    """Tries users' own networks in a fresh process; see `training.network_probe`.

    Args:
        config: With the hash of each.
        shape: Of an image: height and width in pixels, and 3 where in colour.
        num_classes: Number of classes.
        on_check: Called with the networks' names before they are tried; not where there are none.

    Raises:
        UserError: one of them cannot be trained. The user's file and line are named.
    """
    own = tuple(dict.fromkeys(name for name in config.members.architectures if OwnNetwork.parse(name)))
    if not own:
        return
    from digits_ray.training.network_probe import ProbeRequest, probe_networks

    on_check(tuple(map(architecture_name, own)))
    threads = min(usable_cpus(), MAX_THREADS)
    probe_networks(ProbeRequest(own, config.members.recipe, shape, num_classes, threads, _may_train_on_gpus(config)))


def _may_train_on_gpus(config: Config) -> bool:
    resources = config.resources
    return resources.gpus_per_member != 0 and bool(cluster_address(resources) or device.read_gpus())
