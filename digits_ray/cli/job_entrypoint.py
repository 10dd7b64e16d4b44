"""What `digits-ray submit` starts on the cluster: a run, with its results where the dashboard can fetch them."""

import sys
from contextlib import suppress
from pathlib import Path

import yaml

from digits_ray.cli.main import main
from digits_ray.ray_jobs import SETTINGS_FILE
from digits_ray.scheduling import log_folder
from digits_ray.storage import Store


def run_job(job_id: str, flags: list[str]) -> None:
    """Runs the settings that came with the job; exits as `digits-ray run` does.

    The results are published at the end, not before: a second Ray session in the same job may replace the working
    directory while the run is using it.
    """
    out = yaml.safe_load(Path(SETTINGS_FILE).read_text(encoding="utf8"))["out"]
    try:
        main(["run", "--config", SETTINGS_FILE, *flags])
    finally:
        publish_results(job_id, Store.at(out).local_path)


def publish_results(job_id: str, folder: Path | None) -> None:
    """Links a run directory into the folder of logs, whose files the dashboard serves (it follows links)."""
    if folder and folder.is_dir():
        with suppress(ConnectionError):  # the head has gone, and its dashboard with it: the run's own exit code counts
            (log_folder() / job_id).symlink_to(folder)


if __name__ == "__main__":
    run_job(sys.argv[1], sys.argv[2:])
