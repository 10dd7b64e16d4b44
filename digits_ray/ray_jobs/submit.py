"""Sends a run to a cluster as a Ray job: the code, the settings and local data travel in one archive."""

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from digits_ray import version
from digits_ray.config import Config, MembersConfig, OwnNetwork, config_to_yaml, read_yaml
from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.ray_jobs.dashboard import Dashboard
from digits_ray.runs import new_run_path, read_network
from digits_ray.storage import Store, layout, read_file

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SETTINGS_FILE = "run.yaml"  # in the archive
CLUSTER_FOLDER = "~/digits-ray"  # on the node of the job's driver, for an --out that is relative here
MAX_ARCHIVE = 100 << 20  # bytes; Ray's dashboard accepts no more (DASHBOARD_CLIENT_MAX_SIZE)
BEST_COMPRESSION = 20  # times; files that are too large even then are not packed at all
PACKAGE_KEYS = ("pip", "uv", "conda", "container", "image_uri")  # of a runtime_env: each says which packages there are
STOP_SECONDS = 30  # that a stopped job has to say how to continue it; Ray's default is 3


@dataclass(frozen=True)
class JobUpload:
    """What travels to the cluster, and where the results go."""

    config: Config  # as the cluster sees it
    files: Mapping[str, Path]  # local files, by their names in the archive
    fetch_to: str | None  # the folder of this machine that gets the results; None where --out is on the cluster

    @classmethod
    def from_config(cls, config: Config) -> "JobUpload":
        """Works out what a configuration needs of this machine.

        Raises:
            UserError: a file does not exist, or is too large to travel; the local folder holds another run.
        """
        local = {role: _local_file(role, getattr(config.data, role)) for role in ("train", "test", "holdout")}
        names = {role: f"{role}/{path.name}" for role, path in local.items() if path}
        files = {names[role]: path for role, path in local.items() if path}
        members, networks = _with_networks_in_archive(config.members)
        files |= networks
        _check_size(sum(path.stat().st_size for path in files.values()) / BEST_COMPRESSION, files)
        out = config.out or new_run_path()
        on_cluster = is_remote(out) or out.startswith("~") or local_path(out).is_absolute()
        if not on_cluster:
            _check_no_run(out)
            Store.at(out).check_writable()
        cluster_config = replace(
            config,
            out=out if on_cluster else f"{CLUSTER_FOLDER}/{out}",
            data=replace(
                config.data,
                train=names.get("train", config.data.train),
                test=names.get("test", config.data.test),
                holdout=names.get("holdout", config.data.holdout),
            ),
            members=members,
            resources=replace(config.resources, address=None),
        )
        return cls(cluster_config, files, None if on_cluster else out)

    @property
    def cluster_files(self) -> list[str]:
        """The data that do not travel: the cluster reads them itself."""
        data = self.config.data
        return [path for path in (data.train, data.test, data.holdout) if path and path not in self.files]

    def pack(self, archive: Path) -> None:
        """Writes the working directory of the job.

        Raises:
            UserError: it is larger than a cluster accepts.
        """
        package = Path(version.__file__).parent
        with ZipFile(archive, "w", ZIP_DEFLATED, strict_timestamps=False) as zipped:
            zipped.writestr(SETTINGS_FILE, config_to_yaml(self.config))
            for path in sorted(package.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    zipped.write(path, f"digits_ray/{path.relative_to(package).as_posix()}")
            for name, path in self.files.items():
                zipped.write(path, name)
        _check_size(archive.stat().st_size, self.files)


def submit_job(
    dashboard: Dashboard,
    upload: JobUpload,
    runtime_env: Mapping[str, Any],
    flags: Sequence[str] = (),
    print_line: Callable[[str], None] = lambda line: None,
) -> str:
    """Starts the run on the cluster.

    Args:
        dashboard: Of the cluster.
        upload: What travels.
        runtime_env: See `job_environment`.
        flags: More flags for the run itself.
        print_line: Gets a line on the upload, which may last a while.

    Returns:
        The job's id.

    Raises:
        UserError: the archive is too large, or the cluster refuses the job.
    """
    job_id = f"digits-ray-{secrets.token_hex(4)}"
    command = shlex.join(["python", "-m", "digits_ray.cli.job_entrypoint", job_id, *flags])
    labels = {"out": str(upload.config.out), **({"fetch_to": upload.fetch_to} if upload.fetch_to else {})}
    with TemporaryDirectory() as folder:
        archive = Path(folder, "working_dir.zip")
        upload.pack(archive)
        content = ", ".join(["the code", *(path.name for path in upload.files.values())])
        print_line(f"Uploading {archive.stat().st_size / 2**20:.1f} MiB to {dashboard.address}: {content}")
        for path in upload.cluster_files:
            print_line(f"{path} is not sent: the cluster reads it")
        dashboard.submit(job_id, command, {**runtime_env, "working_dir": str(archive)}, labels)
    return job_id


def job_environment(packages: str, extras: Sequence[str], file: str | None) -> dict[str, Any]:
    """Returns the job's runtime_env, except for its working directory.

    Args:
        packages: "pip" or "uv": every node installs what digits-ray needs, once; "none": the cluster has it all.
        extras: of digits-ray, e.g. "gpu".
        file: a YAML file with a runtime_env; the packages that it names replace those of digits-ray.

    Raises:
        UserError: the file cannot be read, or names a working directory; no such extra.
    """
    environment = _read_environment(file) if file else {}
    if "working_dir" in environment or "py_modules" in environment:
        raise UserError(f"--runtime-env {file}: submit brings its own code. Leave working_dir and py_modules out.")
    if packages != "none" and not set(PACKAGE_KEYS) & set(environment):
        environment[packages] = requirements(extras)
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment.get("env_vars", {})}
    return {**environment, "env_vars": variables}


def _read_environment(file: str) -> dict[str, Any]:
    """Reads a runtime_env, its variables as they are written: 010 and `on` are no number and no truth value."""
    environment = read_yaml(file, "--runtime-env", read_remote=read_file)
    if not environment.get("env_vars"):
        return {key: value for key, value in environment.items() if key != "env_vars"}
    variables = read_yaml(file, "--runtime-env", read_file, as_text=True)["env_vars"]
    if not isinstance(variables, dict):
        raise UserError(f"--runtime-env {file}: env_vars: names and values are expected, e.g. env_vars: {{A: 1}}.")
    for name, value in variables.items():
        if not isinstance(value, str):
            raise UserError(f"--runtime-env {file}: env_vars.{name}: a single value is expected, e.g. {name}: 1.")
    return {**environment, "env_vars": variables}


def requirements(extras: Sequence[str] = ()) -> list[str]:
    """Returns the packages that the installed digits-ray requires, with those of its extras.

    Raises:
        UserError: no such extra, or digits-ray is not installed.
    """
    from packaging.requirements import Requirement

    try:
        listed = [Requirement(text) for text in requires("digits-ray") or []]
    except PackageNotFoundError:
        raise UserError("digits-ray is not installed, so its packages are unknown. Give --packages none.") from None
    for extra in extras:
        if not any(requirement.marker and _applies(requirement, extra) for requirement in listed):
            raise UserError(f"--extra {extra}: digits-ray has no such extra. Valid: gpu, jax, jax-cuda.")
    needed = [requirement for requirement in listed if any(_applies(requirement, extra) for extra in ("", *extras))]
    return [str(requirement).split(";")[0].strip() for requirement in needed]


def _applies(requirement: "Requirement", extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _local_file(role: str, path: str | None) -> Path | None:
    """Returns the file of this machine that has to travel, or None: the cluster reads it from where it is."""
    if path is None or "://" in path:
        return None
    local = local_path(path)
    if local.is_file():
        return local
    if local.is_absolute() and not local.exists():
        return None
    raise UserError(f"--{role} {path}: no such file here. Name a file, an absolute path on the cluster, or s3://….")


def _with_networks_in_archive(members: MembersConfig) -> tuple[MembersConfig, dict[str, Path]]:
    """Returns the members with files of the user's own networks where the archive has them, and those files.

    Raises:
        UserError: such a file does not exist here, nor can the cluster have it; or it is no Python.
    """
    architectures, files = list(members.architectures), {}
    for number, architecture in enumerate(architectures):
        network = OwnNetwork.parse(architecture)
        local = _local_file("architecture", network.path) if network else None
        if network and local:
            read_network(network)  # refuses at once what the cluster would refuse
            name = f"networks/{number}/{local.name}"
            architectures[number], files[name] = str(replace(network, path=name)), local
    return replace(members, architectures=tuple(architectures)), files


def _check_size(size: float, files: Mapping[str, Path]) -> None:
    """Raises UserError when so many bytes (compressed) are more than a cluster accepts."""
    if size > MAX_ARCHIVE:
        names = ", ".join(str(path) for path in files.values())
        raise UserError(
            f"{names}: more than the {MAX_ARCHIVE >> 20} MiB (compressed) that travel with a job. Put them on s3:// or"
            " gs://, or on a disk that all nodes mount, and name them so: --train file:///mnt/data/train.csv"
        )


def _check_no_run(folder: str) -> None:
    """Raises UserError when a folder of this machine holds a run: results of another must not overwrite it."""
    if Path(folder, layout.CONFIG).exists():
        raise UserError(
            f"--out {folder}: holds a run of this machine. Choose another folder for the cluster's results."
        )
