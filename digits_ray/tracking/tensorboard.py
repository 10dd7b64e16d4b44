"""A member's epochs as TensorBoard reads them: `tensorboard --logdir RUN_DIR` shows a curve per member."""

import time
from io import BytesIO
from types import SimpleNamespace

TAGS = {"seconds": "seconds_per_epoch"}  # where a name of ours says too little in TensorBoard


def event_file(history: list[dict[str, float]], ended: float | None = None) -> bytes:
    """Returns a TensorBoard event file of every number of every epoch.

    It is made in memory: `SummaryWriter` needs a folder of temporary files with free space, and semaphores of /dev/shm.

    Args:
        history: One entry an epoch, each with its "seconds".
        ended: When the last epoch ended, in seconds since 1970; now when absent.
    """
    # Comes with ray[tune]; half a second to import.
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter, register_writer_factory
    from tensorboardX.summary import scalar

    file = BytesIO()
    register_writer_factory("memory", SimpleNamespace(open=lambda path: file))
    records = RecordWriter("memory:")
    time_stamp = (ended or time.time()) - sum(entry["seconds"] for entry in history)
    records.write(Event(wall_time=time_stamp, file_version="brain.Event:2").SerializeToString())
    for epoch, entry in enumerate(history, start=1):
        time_stamp += entry["seconds"]
        for name, value in entry.items():
            summary = scalar(TAGS.get(name, name), value)
            records.write(Event(wall_time=time_stamp, step=epoch, summary=summary).SerializeToString())
    return file.getvalue()
