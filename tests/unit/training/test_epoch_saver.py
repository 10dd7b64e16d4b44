"""Epochs are saved beside the training, in their order, and none is lost."""

from functools import partial
from threading import Event

import pytest

from digits_ray.errors import UserError
from digits_ray.training.callbacks import EpochSaver


class Storage:
    """Keeps what is saved, once a test lets it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.may_save = error, Event()
        self.saved: list[tuple[int, bytes]] = []

    def save(self, epoch: int, state: bytes) -> None:
        assert self.may_save.wait(20)
        if self.error:
            raise self.error
        self.saved.append((epoch, state))


def saver_of(storage: Storage, states: list[bytes]) -> EpochSaver:
    return EpochSaver(storage, lambda: partial(bytes, states.pop(0)))  # type: ignore[arg-type]


def test_training_goes_on_while_an_epoch_is_saved_and_closing_waits_for_it() -> None:
    storage = Storage()
    saver = saver_of(storage, [b"first", b"second"])
    saver.on_epoch_end(0)  # would wait for ever, did it not go on
    assert storage.saved == []
    storage.may_save.set()
    saver.on_epoch_end(1)
    saver.close()
    assert storage.saved == [(1, b"first"), (2, b"second")]


def test_storage_that_fails_costs_no_training_and_is_told() -> None:
    storage = Storage(UserError("the disk is full"))
    storage.may_save.set()
    saver = saver_of(storage, [b"first", b"second"])
    for epoch in (0, 1):
        saver.on_epoch_end(epoch)
    saver.close()
    assert saver.unsaved.notes() == ("2 of the epochs 1 to 2 were not saved: the disk is full",)


def test_a_fault_of_the_program_while_saving_ends_the_fit() -> None:
    storage = Storage(TypeError("no such argument"))
    storage.may_save.set()
    saver = saver_of(storage, [b"first"])
    saver.on_epoch_end(0)
    with pytest.raises(TypeError, match="no such argument"):
        saver.close()


def test_an_error_of_the_training_is_told_and_no_fault_of_saving_beside_it() -> None:
    storage = Storage(TypeError("no such argument"))
    saver = saver_of(storage, [b"first"])
    with pytest.raises(FloatingPointError, match="the loss is nan"), saver:
        saver.on_epoch_end(0)
        storage.may_save.set()
        raise FloatingPointError("the loss is nan")
    with pytest.raises(TypeError), saver_of(storage, [b"first"]) as saver:
        saver.on_epoch_end(0)


def test_what_was_trained_is_saved_before_the_error_that_ends_the_training_goes_on() -> None:
    storage = Storage()
    with pytest.raises(KeyboardInterrupt), saver_of(storage, [b"first"]) as saver:
        saver.on_epoch_end(0)
        storage.may_save.set()
        raise KeyboardInterrupt
    assert storage.saved == [(1, b"first")]
