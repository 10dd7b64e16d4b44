"""A member's epochs as TensorBoard reads them: `tensorboard --logdir RUN_DIR` shows a curve per member."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

TAGS = {"seconds": "seconds_per_epoch"}  # where a name of ours says too little in TensorBoard


def event_file(history: list[dict[str, float]], ended: float | None = None) -> bytes:
    """Returns a TensorBoard event file of every number of every epoch.

    Args:
        history: One entry an epoch, each with its "seconds".
        ended: When the last epoch ended, in seconds since 1970; now when absent.
    """
    # Of ray[tune]; half a second to import. SummaryWriter would start a queue, for which /dev/shm must be writable.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.summary import scalar

    time_stamp = (ended or time.time()) - sum(entry["seconds"] for entry in history)
    with TemporaryDirectory() as folder:
        writer = EventsWriter(f"{folder}/events")
        for epoch, entry in enumerate(history, start=1):
            time_stamp += entry["seconds"]
            for name, value in entry.items():
                summary = scalar(TAGS.get(name, name), value)
                writer.write_event(Event(wall_time=time_stamp, step=epoch, summary=summary))
        writer.close()
        (file,) = Path(folder).iterdir()
        return file.read_bytes()
