"""What `digits-ray submit` starts on the cluster: a run, with its results where the dashboard can fetch them."""

import sys
from pathlib import Path

import yaml

from digits_ray.__main__ import main
from digits_ray.session import log_folder
from digits_ray.store import Store
from digits_ray.submit import SETTINGS_FILE


def show_results(job_id: str) -> None:
    """Links the run directory into the folder of logs, whose files the dashboard serves (links are followed)."""
    values = yaml.safe_load(Path(SETTINGS_FILE).read_text(encoding="utf8"))
    out = Store.at(values["out"]).local_path
    if out:
        (log_folder() / job_id).symlink_to(out)


if __name__ == "__main__":
    show_results(sys.argv[1])
    main(["run", "--config", SETTINGS_FILE, *sys.argv[2:]])
