"""The saved epochs of unfinished members."""

from io import BytesIO
from pathlib import Path

import numpy as np
from factories import spec_of
from run_directories import claimed, result_of

from digits_ray.config import ALL_ROWS
from digits_ray.storage.checkpoints import SavedEpochs


def test_saved_epochs_go_once_the_member_is_finished(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    SavedEpochs(run.store, 0, "01-a").save(1, b"state")
    run.write_member(spec_of(), result_of(), None)
    assert run.store.names("members/000/attempts") == []


def test_a_refit_and_its_member_know_nothing_of_each_others_epochs(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    member, refit = SavedEpochs(run.store, 0, "01-a"), SavedEpochs(run.store, 0, "01-a", refit=True)
    member.save(1, archive(1))
    refit.save(2, archive(2))
    assert (list(member.candidates()), list(refit.candidates())) == ([archive(1)], [archive(2)])
    run.write_member(spec_of(), result_of(), None)
    assert (list(member.candidates()), list(refit.candidates())) == ([], [archive(2)])
    run.write_member(spec_of(fold=ALL_ROWS), result_of(), None)
    assert list(refit.candidates()) == []


def archive(value: float) -> bytes:
    file = BytesIO()
    np.savez(file, value=np.full(1000, value))
    return file.getvalue()


def test_the_latest_intact_epoch_of_any_attempt_comes_first(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    first, second = SavedEpochs(run.store, 0, "01-a"), SavedEpochs(run.store, 0, "02-b")
    for epoch in (1, 2, 3):
        first.save(epoch, archive(epoch))
    second.save(4, archive(4)[:-200])  # cut short
    candidates = list(second.candidates())
    assert candidates == [archive(3), archive(2)]


def test_an_attempt_deletes_all_but_its_last_two_epochs_and_leaves_others_alone(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    SavedEpochs(run.store, 0, "01-a").save(1, archive(1))
    for epoch in (2, 3, 4):
        SavedEpochs(run.store, 0, "02-b").save(epoch, archive(epoch))
    names = [name.split("attempts/")[1] for name in run.store.names("members")]
    assert names == ["01-a/epoch-000001.npz", "02-b/epoch-000003.npz", "02-b/epoch-000004.npz"]


def test_what_is_saved_of_an_earlier_epoch_can_be_read_and_the_latest_told_by_its_name(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    first, second = SavedEpochs(run.store, 0, "01-a"), SavedEpochs(run.store, 0, "02-b")
    assert second.latest_epoch() == 0
    for epoch in (1, 2, 3):
        first.save(epoch, archive(epoch))
    assert second.latest_epoch() == 3
    assert list(second.candidates(2)) == [archive(2)]
    assert list(second.candidates(1)) == []
