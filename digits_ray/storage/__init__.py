"""Where a run's bytes lie: any file system, locks and leases, the run directory. What they mean, others know."""

from digits_ray.storage.remote import is_remote, joined
from digits_ray.storage.run_directory import RunDirectory, SavedEpochs, prediction_bytes, shares_storage
from digits_ray.storage.store import Store, check_output, read_file, write_file

__all__ = [
    "RunDirectory",
    "SavedEpochs",
    "Store",
    "check_output",
    "is_remote",
    "joined",
    "prediction_bytes",
    "read_file",
    "shares_storage",
    "write_file",
]
