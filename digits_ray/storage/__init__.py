"""Where a run's bytes lie: any file system, locks and leases, the run directory. Other packages interpret them."""

from digits_ray.paths import is_remote
from digits_ray.storage import layout
from digits_ray.storage.baseline_files import BaselineFiles
from digits_ray.storage.checkpoints import SavedEpochs
from digits_ray.storage.differences import differences, listed
from digits_ray.storage.member_files import spec_hash
from digits_ray.storage.recorded_settings import RecordedSettings, settings_of_run
from digits_ray.storage.remote import joined
from digits_ray.storage.run_directory import RunDirectory, shares_storage
from digits_ray.storage.single_files import check_output, read_file, refuse_to_overwrite, write_file
from digits_ray.storage.store import Store

__all__ = [
    "BaselineFiles",
    "RecordedSettings",
    "RunDirectory",
    "SavedEpochs",
    "Store",
    "check_output",
    "differences",
    "is_remote",
    "joined",
    "layout",
    "listed",
    "read_file",
    "refuse_to_overwrite",
    "settings_of_run",
    "shares_storage",
    "spec_hash",
    "write_file",
]
