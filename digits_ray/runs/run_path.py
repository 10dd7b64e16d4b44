"""Where a run writes: its `out`, or a new directory named by the time."""

from datetime import UTC, datetime

from digits_ray.config import Config
from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.scheduling import in_job


def resolve_out(config: Config) -> str:
    """Returns the run directory's path or URI: `out`, or a new one named by the time.

    Raises:
        UserError: it would be lost, since it lies in the folder of a job, which Ray deletes.
    """
    if in_job() and not _outlives_job(config.out or ""):
        raise UserError(
            f"--out {config.out or 'was not given, and runs/'}: the folder of a job is deleted when the job ends."
            " Give an absolute path, best on storage that all nodes share, or s3:// or gs://."
        )
    return config.out or new_run_path()


def new_run_path() -> str:
    """Returns a new run directory's path, named by the time."""
    return datetime.now(UTC).strftime("runs/%Y-%m-%dT%H-%M-%SZ")


def _outlives_job(out: str) -> bool:
    return is_remote(out) or local_path(out).is_absolute()
