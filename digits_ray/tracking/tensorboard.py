"""A member's epochs as TensorBoard reads them: `tensorboard --logdir RUN_DIR` shows a curve per member."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

UNITS = {"seconds": "seconds_per_epoch"}  # names that say more beside those of other programs


def event_file(history: list[dict[str, float]], ended: float | None = None) -> bytes:
    """Returns a TensorBoard event file of every number of every epoch.

    Args:
        history: An entry an epoch, each with its "seconds".
        ended: When the last epoch ended, in seconds since 1970; now when absent.
    """
    from tensorboardX import SummaryWriter  # comes with ray[tune]; half a second to import

    moment = (ended or time.time()) - sum(entry["seconds"] for entry in history)
    with TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            for epoch, entry in enumerate(history, start=1):
                moment += entry["seconds"]
                for name, value in entry.items():
                    writer.add_scalar(UNITS.get(name, name), value, epoch, walltime=moment)
        (written,) = Path(folder).iterdir()
        return written.read_bytes()
