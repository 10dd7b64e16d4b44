"""Variables of the environment that Ray reads: ours, and those that were there before."""

import os
import subprocess
import sys

from digits_ray.errors import UserError

RAY_ENVIRONMENT = {
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # CPU members see no GPU (ray#62492)
    "RAY_USAGE_STATS_ENABLED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0, Tune prints nothing
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # trials.csv is the record; no TensorBoard files beside it
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the run, not the search alone
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
_TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")  # that `protect` sets
_MODES = ("token", "disabled")  # of RAY_AUTH_MODE, that a run on this machine works with
_OF_IMPORT = "RAY_CLIENT_MODE"  # that Ray sets when it is imported


def variables_of_others() -> list[str]:
    """Returns the names of Ray's variables that neither this program nor Ray itself has set."""
    known = {*RAY_ENVIRONMENT, *_TOKEN, _OF_IMPORT}
    if os.environ.get("RAY_AUTH_MODE", "token").lower() not in _MODES:
        known.remove("RAY_AUTH_MODE")
    return sorted(name for name in os.environ if name.startswith("RAY_") and name not in known)


def check_core_settings() -> None:
    """Refuses variables at which Ray's core ends the process that imports it, without a word.

    It does so where a setting of its own, e.g. RAY_num_workers_soft_limit, is not the number that it expects.

    Raises:
        UserError: another process ended so.
    """
    names = [name for name in variables_of_others() if name.removeprefix("RAY_")[:1].islower()]
    if not names or "ray" in sys.modules:
        return
    ended = subprocess.run([sys.executable, "-P", "-c", "import ray"], capture_output=True)
    if ended.returncode < 0:  # by a signal
        raise UserError(f"Ray cannot be imported with these variables set: {', '.join(names)}. Correct or unset them.")
