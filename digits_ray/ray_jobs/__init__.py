"""A run as a Ray job on a cluster that someone else has started: submit, follow, the dashboard."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.ray_jobs.dashboard import Dashboard, default_address
    from digits_ray.ray_jobs.follow import JobFollower, attach_command, stop_command
    from digits_ray.ray_jobs.submit import SETTINGS_FILE, JobUpload, job_environment, submit_job

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "dashboard": ["Dashboard", "default_address"],
        "follow": ["JobFollower", "attach_command", "stop_command"],
        "submit": ["SETTINGS_FILE", "JobUpload", "job_environment", "submit_job"],
    },
)
