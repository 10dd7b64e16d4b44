"""Every form in which a user may name a file of this machine names the same one."""

from pathlib import Path

import pytest

from digits_ray.errors import UserError
from digits_ray.paths import is_remote, local_path
from digits_ray.storage import Store, check_output, read_file, write_file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


FORMS = [
    "a b#1%.csv", "./a b#1%.csv", "~/a b#1%.csv", "{home}/a b#1%.csv", "file://{home}/a b#1%.csv",
    "file://{home}/a%20b%231%25.csv", "file:{home}/a b#1%.csv", "FILE://{home}/a b#1%.csv",
    "file://localhost{home}/a b#1%.csv", "file://~/a b#1%.csv",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_written_and_read_at_the_same_file(form: str, home: Path) -> None:
    path = form.format(home=home)
    check_output(path)
    write_file(path, b"1")
    assert [file.name for file in home.iterdir()] == ["a b#1%.csv"]
    assert read_file(path) == b"1"
    assert not is_remote(path)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_names_the_same_folder(form: str, home: Path) -> None:
    store = Store.at(form.format(home=home))
    assert store.local_path == home / "a b#1%.csv"
    store.write("x", b"1")
    assert (home / "a b#1%.csv" / "x").exists()


@pytest.mark.parametrize("path", ["s3:/bucket/x", "gs:/bucket/x", "S3:/bucket/x", "https:/host/x", "abfs:/c/x"])
def test_a_uri_that_lacks_a_slash_makes_no_folder_of_that_name(path: str, home: Path) -> None:
    with pytest.raises(UserError, match="two slashes"):
        Store.at(path)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3:///run/a", r"^s3:///run/a: names no bucket\. Write s3://bucket/name\."),
        ("gs://", "names no bucket"),
        ("s3://[bucket]/run", r"not a valid URI \(.*\)\. Write s3://bucket/name"),
    ],
)
def test_a_uri_without_a_bucket_is_refused(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        is_remote(path)


def test_a_file_uri_that_lacks_a_slash_is_told_with_the_one_that_does_not(home: Path) -> None:
    with pytest.raises(UserError, match=r"'data'.*three slashes: file:///train.csv"):
        local_path("file://data/train.csv")


def test_a_home_that_does_not_exist_is_a_name_like_others(home: Path) -> None:
    assert local_path("~no-such-user/x") == Path("~no-such-user/x")


@pytest.mark.parametrize("path", ["s3://b/x", "gs://b/x", "S3://b/x", "https://host/x"])
def test_what_lies_elsewhere_is_remote(path: str) -> None:
    assert is_remote(path)
