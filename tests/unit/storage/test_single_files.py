"""Files that users name for themselves."""

import errno
import os
from pathlib import Path

import pytest

from digits_ray.errors import UserError
from digits_ray.storage.single_files import check_output, refuse_to_overwrite, write_file


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
    for name in ("", f"{tmp_path}/new/", "/"):
        with pytest.raises(UserError, match="not an ordinary file"):
            write_file(name, b"1")
    assert (tmp_path / "device").is_fifo()


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "named")
    write_file(str(tmp_path / "link"), b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "named").read_bytes() == b"1"


def test_an_output_in_a_folder_that_cannot_be_written_is_refused_before_it_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file/labels.csv", "file/new/labels.csv"):
        with pytest.raises(UserError, match="a file stands where a folder is needed"):
            check_output(str(tmp_path / name))
    check_output(str(tmp_path / "new/folder/labels.csv"))
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"]  # the attempt leaves nothing behind

    def refuse(**how: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("digits_ray.storage.store.TemporaryFile", refuse)
    for name in ("labels.csv", "new/labels.csv"):
        with pytest.raises(UserError, match="permission denied"):
            check_output(str(tmp_path / name))


def test_a_name_is_refused_where_it_is_too_long_and_otherwise_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is too long\. Choose a shorter one"):
        check_output(f"{tmp_path}/{'x' * 256}")
    write_file(f"{tmp_path}/{'x' * 255}", b"1")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"1"


def test_an_output_that_may_not_even_be_looked_at_is_left_to_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    check_output(str(tmp_path / "labels.csv"))


def test_what_is_read_is_not_overwritten_however_it_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_bytes(b"1")
    (tmp_path / "link.csv").symlink_to("in.csv")
    os.link(tmp_path / "in.csv", tmp_path / "hard.csv")
    (tmp_path / "folder").symlink_to(tmp_path)
    spellings = ["in.csv", "./in.csv", str(tmp_path / "in.csv"), "file://" + str(tmp_path / "in.csv"), "folder/in.csv"]
    for output in [*spellings, "link.csv", "hard.csv"]:
        for first, second in (("in.csv", output), (output, "in.csv")):
            with pytest.raises(UserError, match="is the file of --input, which would be lost"):
                refuse_to_overwrite(first, second)
    with pytest.raises(UserError, match="is the file of --input"):
        refuse_to_overwrite("s3://bucket/a/in.csv", "s3://bucket/a//in.csv?region=x")
    for output in ("out.csv", "s3://bucket/in.csv"):
        refuse_to_overwrite("in.csv", output)


def test_nothing_is_written_among_the_pictures_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures" / "3").mkdir(parents=True)
    (tmp_path / "link").symlink_to("pictures")
    for output in ("pictures/labels.csv", "pictures/3/new.csv", "link/labels.csv", "pictures/../pictures/labels.csv"):
        with pytest.raises(UserError, match="lies in the folder of --input"):
            refuse_to_overwrite("pictures", output)
    for output in ("labels.csv", "pictures.csv", "pictures/../labels.csv"):
        refuse_to_overwrite("pictures", output)
