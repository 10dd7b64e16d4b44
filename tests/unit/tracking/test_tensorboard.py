"""What TensorBoard shows of a member."""

from pathlib import Path

import pytest

from digits_ray.storage import layout
from digits_ray.tracking import tensorboard

HISTORY = [{"loss": 1.0 / epoch, "accuracy": epoch / 10, "seconds": 2.0} for epoch in range(1, 4)]


def test_every_number_of_every_epoch_comes_back_with_its_time(tmp_path: Path) -> None:
    from tensorflow.python.summary.summary_iterator import summary_iterator

    (tmp_path / layout.EVENTS).write_bytes(tensorboard.event_file(HISTORY, ended=1_000_006.0))
    values = [
        (value.tag, event.step, value.simple_value, event.wall_time)
        for event in summary_iterator(str(tmp_path / layout.EVENTS))
        for value in event.summary.value
    ]
    losses = [tuple(rest) for tag, *rest in values if tag == "loss"]
    assert losses == [(1, 1.0, 1_000_002.0), (2, 0.5, 1_000_004.0), (3, pytest.approx(1 / 3), 1_000_006.0)]
    assert {tag for tag, *_ in values} == {"loss", "accuracy", "seconds_per_epoch"}


def test_neither_a_temporary_file_nor_a_semaphore_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of temporary files may be full, and /dev/shm absent."""
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", lambda *_, **__: pytest.fail("a semaphore"))
    assert tensorboard.event_file(HISTORY)
