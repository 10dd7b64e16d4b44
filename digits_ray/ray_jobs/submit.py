"""Sends a run to a cluster as a Ray job: the code, the settings and local data travel in one archive."""

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import digits_ray
from digits_ray.config import Config, loading
from digits_ray.errors import UserError
from digits_ray.ray_jobs.dashboard import Dashboard
from digits_ray.runs import new_run_path
from digits_ray.storage import layout

SETTINGS_FILE = "run.yaml"  # in the archive
CLUSTER_FOLDER = "~/digits-ray"  # on the node of the job's driver, for runs without a place that outlives the cluster
MAX_ARCHIVE = 100 << 20  # bytes; Ray's dashboard accepts no more (DASHBOARD_CLIENT_MAX_SIZE)
BEST_COMPRESSION = 20  # times; what is larger than this allows is not even tried
ENVIRONMENTS = ("pip", "uv", "conda", "container", "image_uri")  # keys of a runtime_env that settle the packages
STOP_SECONDS = 30  # that a stopped job has to tell how to go on; Ray's default is 3


@dataclass(frozen=True)
class Upload:
    """What travels to the cluster, and where the results are to be."""

    config: Config  # as the cluster sees it
    files: Mapping[str, Path]  # by their names in the archive
    fetch_to: str | None  # a folder of this machine, where `out` is one

    @classmethod
    def of(cls, config: Config) -> "Upload":
        """Works out what of a configuration is on this machine and has to travel.

        Raises:
            UserError: a file is not there, or is too large to travel; the local folder holds another run.
        """
        local = {role: _local(role, getattr(config.data, role)) for role in ("train", "test")}
        names = {role: f"{role}/{path.name}" for role, path in local.items() if path}
        files = {names[role]: path for role, path in local.items() if path}
        _refuse_large(sum(path.stat().st_size for path in files.values()) / BEST_COMPRESSION, files)
        out = config.out or new_run_path()
        stays = "://" in out or Path(out).is_absolute() or out.startswith("~")
        _refuse_other_run(None if stays else out)
        there = replace(
            config,
            out=out if stays else f"{CLUSTER_FOLDER}/{out}",
            data=replace(config.data, **names),
            resources=replace(config.resources, address=None),
        )
        return cls(there, files, None if stays else out)

    @property
    def stays(self) -> list[str]:
        """What the cluster reads from where it is."""
        data = self.config.data
        return [place for place in (data.train, data.test) if place and place not in self.files]

    def pack(self, archive: Path) -> None:
        """Writes the working directory of the job.

        Raises:
            UserError: it is larger than a cluster takes.
        """
        package = Path(digits_ray.__file__).parent
        with ZipFile(archive, "w", ZIP_DEFLATED, strict_timestamps=False) as zipped:
            zipped.writestr(SETTINGS_FILE, loading.config_to_yaml(self.config))
            for path in sorted(package.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    zipped.write(path, f"digits_ray/{path.relative_to(package).as_posix()}")
            for name, path in self.files.items():
                zipped.write(path, name)
        _refuse_large(archive.stat().st_size, self.files)


def submit(
    dashboard: Dashboard,
    upload: Upload,
    runtime_env: Mapping[str, Any],
    flags: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Starts the run on the cluster.

    Args:
        dashboard: Of the cluster.
        upload: What travels.
        runtime_env: See `environment`.
        flags: More flags for the run itself.
        say: Told what is uploaded, which may take a while.

    Returns:
        The job's id.

    Raises:
        UserError: the archive is too large, or the cluster refuses the job.
    """
    job_id = f"digits-ray-{secrets.token_hex(4)}"
    command = shlex.join(["python", "-m", "digits_ray.cli.job", job_id, *flags])
    facts = {"out": str(upload.config.out), **({"fetch_to": upload.fetch_to} if upload.fetch_to else {})}
    with TemporaryDirectory() as folder:
        archive = Path(folder, "working_dir.zip")
        upload.pack(archive)
        what = ", ".join(["the code", *(path.name for path in upload.files.values())])
        say(f"Uploading {archive.stat().st_size / 2**20:.1f} MiB to {dashboard.address}: {what}")
        for place in upload.stays:
            say(f"{place} is not on this machine: the cluster reads it")
        dashboard.submit(job_id, command, {**runtime_env, "working_dir": str(archive)}, facts)
    return job_id


def environment(packages: str, extras: Sequence[str], file: str | None) -> dict[str, Any]:
    """Returns the job's runtime_env, but for its working directory.

    Args:
        packages: "pip" or "uv": every node installs what digits-ray needs, once; "none": the cluster has it all.
        extras: of digits-ray, e.g. "gpu".
        file: a YAML file with a runtime_env; its own packages stand in for those of digits-ray.

    Raises:
        UserError: the file cannot be read, or names a working directory; no such extra.
    """
    found = loading.read_yaml(file, "--runtime-env") if file else {}
    if "working_dir" in found or "py_modules" in found:
        raise UserError(f"--runtime-env {file}: submit brings its own code. Leave working_dir and py_modules out.")
    if packages != "none" and not set(ENVIRONMENTS) & set(found):
        found[packages] = requirements(extras)
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **(found.get("env_vars") or {})}
    return {**found, "env_vars": variables}


def requirements(extras: Sequence[str] = ()) -> list[str]:
    """Returns the packages that the installed digits-ray names, with those of its extras.

    Raises:
        UserError: no such extra, or digits-ray is not installed.
    """
    from packaging.requirements import Requirement

    try:
        needs = [Requirement(text) for text in requires("digits-ray") or []]
    except PackageNotFoundError:
        raise UserError("digits-ray is not installed, so its packages are unknown. Give --packages none.") from None
    wanted = [need for need in needs if any(_applies(need, extra) for extra in ("", *extras))]
    for extra in extras:
        if not any(need.marker and _applies(need, extra) for need in needs):
            raise UserError(f"--extra {extra}: digits-ray has no such extra. Valid: gpu, jax.")
    return [str(need).split(";")[0].strip() for need in wanted]


def _applies(need: Any, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})


def _local(role: str, place: str | None) -> Path | None:
    """Returns the file of this machine that has to travel, or None: the cluster reads it where it is."""
    if place is None or "://" in place:
        return None
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if path.is_absolute() and not path.exists():
        return None
    raise UserError(f"--{role} {place}: no such file here. Name a file, an absolute path on the cluster, or s3://….")


def _refuse_large(size: float, files: Mapping[str, Path]) -> None:
    if size > MAX_ARCHIVE:
        names = ", ".join(str(path) for path in files.values())
        raise UserError(
            f"{names}: more than the {MAX_ARCHIVE >> 20} MiB (compressed) that travel with a job. Put them on s3:// or"
            " gs://, or on a disk that all nodes mount, and name them so: --train file:///mnt/data/train.csv"
        )


def _refuse_other_run(folder: str | None) -> None:
    if folder and Path(folder, layout.CONFIG).exists():
        raise UserError(
            f"--out {folder}: holds a run of this machine. Choose another folder for the cluster's results."
        )
