"""The run directory: what is refused, and who may write to it."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from factories import spec_of
from run_directories import DATA, claimed, result_of

from digits_ray.config import Config, complete_data
from digits_ray.errors import UserError
from digits_ray.storage.run_directory import RunDirectory


def test_of_two_runs_that_begin_at_once_in_a_new_directory_the_later_changes_nothing(tmp_path: Path) -> None:
    other_data = {**DATA, "train_sha256": "b" * 64}
    later = RunDirectory.at(str(tmp_path), Config(), other_data)
    first = claimed(tmp_path)
    with pytest.raises(UserError, match="another digits-ray run is writing here"):
        later.claim(Config(), other_data)
    first.close()
    with pytest.raises(UserError, match="holds another run"):
        later.claim(Config(), other_data)
    assert first.data() == complete_data(DATA)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(UserError, match="holds other files"):
        RunDirectory.at(str(tmp_path), Config(), DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_processes_never_write_to_one_run(tmp_path: Path) -> None:
    first = claimed(tmp_path)
    with pytest.raises(UserError, match="another digits-ray run"):
        claimed(tmp_path)
    first.close()
    claimed(tmp_path)


def test_a_mounted_disk_that_knows_no_locks_can_hold_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    claimed(tmp_path)


def test_looking_at_a_place_writes_nothing(tmp_path: Path) -> None:
    RunDirectory.at(str(tmp_path / "new"), Config(), DATA)
    assert not (tmp_path / "new").exists()


def test_a_place_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory"):
        RunDirectory.existing(str(tmp_path))


def test_an_empty_name_is_not_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(tmp_path).close()
    monkeypatch.chdir(tmp_path)
    assert RunDirectory.existing(".")
    with pytest.raises(UserError, match="its name is empty"):
        RunDirectory.existing("")


def test_damaged_files_are_told_with_their_cure(tmp_path: Path) -> None:
    run = claimed(tmp_path)
    run.write_member(spec_of(), result_of(), None)
    with pytest.raises(UserError, match=r"members/000/model\.keras: missing or damaged.*Delete result\.json"):
        run.members.intact_model_file(0)
    (tmp_path / "data.json").write_text('{"train_sha')
    with pytest.raises(UserError, match=r"data\.json: missing or damaged.*written anew"):
        run.data()


def test_a_run_that_was_killed_before_it_had_begun_is_begun_again(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    (tmp_path / "config.yaml").unlink()  # written last
    claimed(tmp_path)
    assert (tmp_path / "config.yaml").exists()
