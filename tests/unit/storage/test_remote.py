"""A store on S3, and what it does when requests are slow or fail."""

import logging
import socket

import pyarrow.fs as pafs
import pytest
from pyarrow import ArrowException
from s3_server import BUCKET, S3, answers, drops_connections, slowly, times

from digits_ray.errors import RunError, UserError
from digits_ray.storage import remote
from digits_ray.storage.checkpoints import SavedEpochs
from digits_ray.storage.remote import joined
from digits_ray.storage.single_files import check_output, read_file, write_file
from digits_ray.storage.store import Store

LARGE = bytes(range(256)) * (48 << 10)  # 12 MiB: uploaded in parts
IMPATIENT_SECONDS = 0.2
UNAVAILABLE = answers("503 Slow Down", "SlowDown")


@pytest.fixture
def store(s3: S3, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(remote, "FIRST_WAIT_SECONDS", 0.02)
    # It tries as often as the product's, and waits for tens of milliseconds in between, not for up to seconds.
    monkeypatch.setattr(pafs, "AwsStandardS3RetryStrategy", pafs.AwsDefaultS3RetryStrategy)
    remote._s3.cache_clear()
    return Store.at(f"s3://{BUCKET}/{request.node.name}")


def test_what_was_written_can_be_read_listed_and_deleted(store: Store) -> None:
    store.write("members/000/a.bin", b"one")
    store.write("members/000/a.bin", b"two")
    assert store.read("members/000/a.bin") == b"two"
    assert store.has("members/000/a.bin")
    assert not store.has("members/000")
    assert not store.has("nothing")
    assert store.names("members") == ["members/000/a.bin"]
    assert store.names("nothing") == []
    store.delete_folder("members")
    store.delete_folder("members")
    store.delete("nothing")
    assert store.names() == []
    with pytest.raises(FileNotFoundError):
        store.read("members/000/a.bin")


def test_a_large_file_comes_back_as_it_was(store: Store) -> None:
    store.write("large", LARGE)
    assert store.read("large") == LARGE


def test_a_folder_below_keeps_the_endpoint_of_the_address(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    host = s3.endpoint.removeprefix("http://")
    place = f"s3://{BUCKET}/query?endpoint_override={host}&scheme=http&region=us-east-1"
    Store.at(place).subfolder("members").write("a", b"1")
    write_file(joined(place, "b"), b"2")
    assert s3.get("query/members/a") == b"1"
    assert read_file(joined(place, "b")) == b"2"


@pytest.mark.parametrize("place", [f"s3://key:secret@{BUCKET}/run", f"s3://{BUCKET}/run?endpoint=here"])
def test_an_address_that_cannot_be_used_is_refused_without_its_secret(place: str) -> None:
    with pytest.raises(UserError, match=r"AWS_ACCESS_KEY_ID|endpoint: not known") as refusal:
        Store.at(place)
    assert "secret@" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("s3://key@bucket/run", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("gs://me:secret@bucket/run", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("abfs://container:secret@account.dfs.core.windows.net/run", "AZURE_CLIENT_SECRET"),
        ("hdfs://me:secret@host/run", r"Leave them out\.$"),
    ],
)
def test_keys_in_an_address_are_refused_with_where_that_kind_of_storage_looks_for_them(
    address: str, advice: str
) -> None:
    with pytest.raises(UserError, match=advice) as refusal:
        Store.at(address)
    assert "secret@" not in str(refusal.value)


def test_a_container_of_azure_or_an_anonymous_user_of_google_is_no_key() -> None:
    assert remote.file_system("abfs://container@account.dfs.core.windows.net/run")[1] == "container/run"
    assert remote.file_system("gs://anonymous@bucket/run")[1] == "bucket/run"


def test_errors_of_azure_are_told_in_a_line_with_its_own_credentials() -> None:
    def fail() -> None:
        raise ArrowException("Unknown error: N5Azure4Core11Credentials23AuthenticationExceptionE: no token\nSee …")

    address = "abfs://container@account.dfs.core.windows.net/run"
    with pytest.raises(UserError, match=r"access denied. Check the credentials \(AZURE_TENANT_ID") as refusal:
        remote.with_retries(fail, address)
    assert "\n" not in str(refusal.value)


def test_a_bucket_whose_region_aws_does_not_tell_is_no_unknown_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(bucket: str) -> str:
        raise OSError("AWS Error NETWORK_CONNECTION during HeadBucket operation: could not resolve host")

    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(remote.pafs, "resolve_s3_region", fail)
    with pytest.raises(UserError, match=r"^s3://far: AWS does not tell the bucket's region .*Check its name and"):
        Store.at("s3://far/run")


def test_an_output_is_tried_before_it_is_computed_and_leaves_nothing(store: Store, s3: S3) -> None:
    check_output(store.path_of("labels.csv"))
    assert not [name for name in s3.names if "labels.csv" in name]
    with s3.failing(answers("403 Forbidden", "AccessDenied", on=("PUT", "POST"))):
        with pytest.raises(UserError, match=r"labels\.csv: access denied"):
            check_output(store.path_of("labels.csv"))
        assert len(s3.failed) == 1
    with s3.failing(answers("403 Forbidden", "AccessDenied", on=("DELETE",))):
        check_output(store.path_of("labels.csv"))
    assert store.names() == []


@pytest.mark.parametrize("fault", [UNAVAILABLE, answers("500 Error", "InternalError"), drops_connections])
def test_every_operation_outlasts_a_storage_that_fails_for_a_while(store: Store, s3: S3, fault: object) -> None:
    store.write("kept", b"1")
    operations = {
        "write": lambda: store.write("a", b"2"),
        "read": lambda: store.read("kept") == b"1",
        "has": lambda: store.has("kept"),
        "names": lambda: store.names() == ["a", "kept"],
        "delete": lambda: store.delete("a"),
        "delete_folder": lambda: store.delete_folder(""),
    }
    for name, operation in operations.items():
        with s3.failing(times(3, fault)):  # type: ignore[arg-type]
            assert operation() in (True, None), name
            assert len(s3.failed) == 3
    assert store.names() == []


def test_a_large_upload_that_fails_midway_leaves_the_old_bytes(store: Store, s3: S3) -> None:
    store.write("large", b"old")
    for method in ("POST", "PUT"):
        with s3.failing(answers("503 Slow Down", "SlowDown", on=(method,))), pytest.raises(RunError):
            store.write("large", LARGE, IMPATIENT_SECONDS)
        assert store.read("large") == b"old"
    with s3.failing(times(3, UNAVAILABLE)):
        store.write("large", LARGE)
    assert store.read("large") == LARGE


def test_slow_answers_are_waited_for(store: Store, s3: S3) -> None:
    with s3.failing(slowly(1.5)):
        store.write("a", b"1", IMPATIENT_SECONDS)
        assert store.read("a") == b"1"


@pytest.mark.slow
def test_storage_that_takes_requests_and_never_answers_ends_with_the_way_to_go_on(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts connections; nobody reads them
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        store = Store.at(f"s3://{BUCKET}/run?endpoint_override={endpoint}&scheme=http&region=us-east-1")
        with pytest.raises(RunError, match=r"run/a.*: the storage failed for 0 s .*run the same command again"):
            store.read("a", 0.1)


def test_patience_ends_with_the_way_to_go_on(store: Store, s3: S3, caplog: pytest.LogCaptureFixture) -> None:
    with (
        s3.failing(UNAVAILABLE),
        caplog.at_level(logging.WARNING),
        pytest.raises(RunError, match=r"a: the storage failed for 3 s .*SLOW_DOWN.*run the same command again"),
    ):
        store.write("a", b"1", 3)
    assert len(s3.failed) > 2
    assert len(caplog.records) == 1
    assert "trying again for 3 s" in caplog.text


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("403 Forbidden", "AccessDenied"),
        ("403 Forbidden", "InvalidAccessKeyId"),
        ("403 Forbidden", "SignatureDoesNotMatch"),
        ("400 Bad Request", "ExpiredToken"),
    ],
)
def test_bad_credentials_are_told_at_once(store: Store, s3: S3, status: str, code: str) -> None:
    with s3.failing(answers(status, code)):
        with pytest.raises(UserError, match=r"access denied. Check the credentials \(AWS_ACCESS_KEY_ID"):
            store.write("a", b"1")
        assert len(s3.failed) == 1
        with pytest.raises(UserError):
            store.has("a")
        assert len(s3.failed) == 2


def test_an_address_that_no_repetition_mends_is_not_tried_again(s3: S3) -> None:
    with pytest.raises(UserError, match=r"not a usable address .*Empty path component"):
        Store.at(f"s3://{BUCKET}//run").read("a")

    def read_folder() -> None:
        raise OSError("Not a regular file: 'runs'")  # pyarrow's

    with pytest.raises(UserError, match=r"a folder, not a file\. Name a file in it"):
        remote.with_retries(read_folder, "s3://runs/")


def test_a_region_that_cannot_be_one_is_told_at_once() -> None:
    def fail() -> None:
        raise OSError(
            "AWS Error [code 103]: A region must be set when sending requests to S3."
        )  # of AWS_REGION="us east"

    with pytest.raises(UserError, match=r"no region that can be used\. Set AWS_REGION"):
        remote.with_retries(fail, "s3://bucket/run/a")


def test_an_output_that_ends_in_a_slash_is_no_file(s3: S3) -> None:
    with pytest.raises(UserError, match="not an ordinary file"):
        check_output(f"s3://{BUCKET}/run/")


def test_a_bucket_that_is_not_there_is_told_at_once(s3: S3) -> None:
    with pytest.raises(UserError, match=r"s3://none-such/run/a: no such bucket. Create it"):
        Store.at("s3://none-such/run").write("a", b"1")


def test_a_saved_epoch_is_given_up_soon(store: Store, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.storage.checkpoints.SAVE_RETRY_SECONDS", IMPATIENT_SECONDS)
    with s3.failing(UNAVAILABLE), pytest.raises(RunError, match=r"epoch-000001\.npz: the storage failed for 0 s"):
        SavedEpochs(store, 0, "01-one").save(1, b"state")
    SavedEpochs(store, 0, "01-one").save(2, b"state")
    assert [name for name in store.names() if "epoch-000002" in name]
