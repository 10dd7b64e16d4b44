"""Where a run's bytes lie: any file system, locks and leases, the run directory. Other packages interpret them."""

from digits_ray.paths import is_remote
from digits_ray.storage import layout
from digits_ray.storage.baseline_files import BaselineFiles
from digits_ray.storage.checkpoints import SavedEpochs
from digits_ray.storage.recorded_settings import settings_of_run
from digits_ray.storage.remote import joined
from digits_ray.storage.run_directory import RunDirectory, shares_storage
from digits_ray.storage.single_files import check_output, read_file, refuse_to_overwrite, write_file
from digits_ray.storage.store import Store

__all__ = [
    "BaselineFiles",
    "RunDirectory",
    "SavedEpochs",
    "Store",
    "check_output",
    "is_remote",
    "joined",
    "layout",
    "read_file",
    "refuse_to_overwrite",
    "settings_of_run",
    "shares_storage",
    "write_file",
]
