"""Storage: complete or not at all, on any file system of pyarrow's."""

import errno
import os
import re
from pathlib import Path

import pytest
from pyarrow import fs as pafs

from digits_ray.errors import UserError
from digits_ray.storage.single_files import read_file
from digits_ray.storage.store import Store


def test_what_was_written_can_be_read_listed_and_deleted(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path / "run"))
    store.write("members/000/a.bin", b"one")
    store.write("members/000/a.bin", b"two")
    assert store.read("members/000/a.bin") == b"two"
    assert store.has("members/000/a.bin")
    assert not store.has("members/000")
    assert store.names("members") == ["members/000/a.bin"]
    store.delete_folder("members")
    store.delete_folder("members")
    assert store.names() == []


def test_a_missing_name_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store.at(str(tmp_path)).read("nothing")
    Store.at(str(tmp_path)).delete("nothing")


def test_relative_paths_do_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store.at("run")
    monkeypatch.chdir("/")
    store.write("a", b"1")
    assert (tmp_path / "run" / "a").read_bytes() == b"1"


def test_a_write_that_fails_leaves_the_old_bytes_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.at(str(tmp_path))
    store.write("a", b"old")

    def full(file_system: pafs.FileSystem, path: str, data: bytes) -> None:
        Path(path).write_bytes(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "_upload", staticmethod(full))
    with pytest.raises(UserError, match=r"a: the disk is full.*run the same command again"):
        store.write("a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert store.read("a") == b"old"


def test_a_part_of_a_killed_writer_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "a.part-0123").write_bytes(b"half")
    assert Store.at(str(tmp_path)).names() == []


@pytest.mark.parametrize("place", ["what://bucket/run", "s4://x", "hf://datasets/me/digits"])
def test_an_unknown_kind_of_storage_is_refused(place: str) -> None:
    with pytest.raises(UserError, match="no usable storage"):
        Store.at(place)


@pytest.mark.parametrize(
    ("address", "cure"),
    [
        (
            "az://container/run",
            r"\)\. Azure's addresses are written abfs://container@account\.dfs\.core\.windows\.net/path",
        ),
        ("abfs://container/run", r"\)\. Azure's addresses are written abfs://container@account"),
        ("s3a://bucket/run", r"\)\. Begin the address with s3://\."),
        ("https://host/train.csv", r"\)\. Download the file first, or use a path, file://, s3:// or gs://\."),
        ("what://host/train.csv", r"\)\. Use a path, file://, s3:// or gs://\."),
    ],
)
def test_an_address_that_cannot_be_opened_is_told_with_one_of_its_kind_that_can(address: str, cure: str) -> None:
    with pytest.raises(UserError, match=cure):
        Store.at(address)


def test_a_file_that_cannot_be_fetched_is_named() -> None:
    with pytest.raises(UserError, match=r"^https://host/folder/train\.csv: no usable storage"):
        read_file("https://host/folder/train.csv")


@pytest.mark.parametrize(
    ("name", "encoding", "message"),
    [
        ("caf\udce9", "utf-8", r"caf\udce9: the name is not in UTF-8\. Rename it\."),
        ("caf\u00e9", "iso8859-1", r"the locale's encoding is iso8859-1\. Set PYTHONUTF8=1\."),
    ],
)
def test_a_name_that_pyarrow_would_take_for_another_is_refused(
    name: str, encoding: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: encoding)
    with pytest.raises(UserError, match=message):
        Store.at(str(tmp_path / name))


def test_a_name_in_utf_8_is_taken_and_ascii_in_any_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.at(str(tmp_path / "caf\u00e9")).write("\u00fc", b"1")
    assert (tmp_path / "caf\u00e9" / "\u00fc").read_bytes() == b"1"
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "iso8859-1")
    Store.at(str(tmp_path / "ascii")).write("a", b"1")


def test_a_file_in_the_way_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose another folder"):
        Store.at(str(tmp_path / "file")).write("a", b"")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full. Free some space, then run the same command again"),
        (errno.EDQUOT, "your quota of that disk is used up. Free some space, then run the same command again"),
        (errno.EROFS, "the file system is read-only. Choose another folder"),
        (errno.EACCES, "permission denied. Choose another folder"),
        (errno.ENAMETOOLONG, "the path, or a name in it, is too long. Choose a shorter one"),
        (errno.EFBIG, "could not be written ([Errno 27] File too large). Choose another folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_with_cause_and_cure(
    number: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("digits_ray.storage.store._to_disk", fails)
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}/a: {message}")):
        Store.at(str(tmp_path)).write("a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_store_travels_to_another_process(tmp_path: Path) -> None:
    import pickle

    store = Store.at(str(tmp_path))
    store.write("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"1"


def test_a_file_on_the_way_is_told_when_something_is_looked_for_below_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"a file stands where a folder is needed\. Choose another"):
        Store.at(str(tmp_path / "file")).read("a")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "permission denied. Choose another folder"),  # root may enter every folder
        (errno.EIO, "could not be read ([Errno 5] Input/output error). Choose another folder, or repair the storage"),
        (errno.ESTALE, "could not be read ([Errno 116] Stale file handle). Choose another folder"),
        (errno.ELOOP, "could not be read ([Errno 40] Too many levels of symbolic links). Choose another folder"),
    ],
)
def test_what_cannot_be_read_is_told_with_cause_and_cure(
    number: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("digits_ray.storage.store._content", fails)
    with pytest.raises(UserError, match=re.escape(f"a: {message}")):
        Store.at(str(tmp_path)).read_or_none("a")


def test_a_path_that_is_too_long_is_told_by_every_look(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is too long"):
        Store.at(str(tmp_path)).has("x" * 256)


def test_a_link_that_leads_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(UserError, match="a symbolic link that leads back to itself"):
        Store.at(str(tmp_path / "link"))
