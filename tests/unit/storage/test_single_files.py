"""Files that users name for themselves."""

import os
from pathlib import Path

import pytest

from digits_ray.errors import UserError
from digits_ray.storage.single_files import check_output, write_file


def test_one_file_is_written_at_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_file("here.csv", b"1")
    write_file("deep/er/there.csv", b"2")
    assert (tmp_path / "here.csv").read_bytes() == b"1"
    assert (tmp_path / "deep/er/there.csv").read_bytes() == b"2"


def test_a_folder_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "device")
    for place in (tmp_path / "device", tmp_path):
        with pytest.raises(UserError, match="not an ordinary file"):
            write_file(str(place), b"1")
    with pytest.raises(UserError, match="not an ordinary file"):
        write_file("", b"1")
    assert (tmp_path / "device").is_fifo()


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "named")
    write_file(str(tmp_path / "link"), b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "named").read_bytes() == b"1"


def test_an_output_that_may_not_even_be_looked_at_is_left_to_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    check_output(str(tmp_path / "labels.csv"))
