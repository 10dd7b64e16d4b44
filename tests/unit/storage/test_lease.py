"""The lease on a run directory: a driver that is alive holds it, one that is gone loses it, on any storage."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import BUCKET, S3, answers
from waiting import eventually

from digits_ray.config.schema import Config
from digits_ray.errors import RunError, UserError
from digits_ray.storage import layout, lease
from digits_ray.storage.lease import Lease
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store

DATA = {"train_rows": 3}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"RENEW_SECONDS": 0.1, "POLL_SECONDS": 0.05, "EXPIRY_SECONDS": 60.0}.items():
        monkeypatch.setattr(lease, name, seconds)


@pytest.fixture(params=["local", "s3"])
def store(s3: S3, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    name = request.node.name.replace("[", "-").rstrip("]")
    return Store.at(str(tmp_path) if request.param == "local" else f"s3://{BUCKET}/{name}")


@pytest.fixture
def held(store: Store) -> Iterator[Lease]:
    holder = Lease(store)
    holder.acquire(lambda line: None)
    yield holder
    holder.release()


def killed(holder: Lease) -> None:
    """Ends the renewals and nothing else, as `kill -9` does."""
    holder._released.set()
    holder._renewal.join()


def test_a_second_driver_is_refused_in_one_line_that_names_the_first(store: Store, held: Lease) -> None:
    messages: list[str] = []
    with pytest.raises(UserError, match=r"another digits-ray run is writing here \(process \d+ on .+, since .+ UTC\)"):
        Lease(store).acquire(messages.append)
    assert len(messages) == 1
    assert "looking for up to 60 s" in messages[0]
    held.check()


def test_a_killed_drivers_lease_runs_out_and_the_next_takes_it(
    store: Store, held: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(held)
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 2.0)
    heir, started = Lease(store), time.monotonic()
    heir.acquire(lambda line: None)
    assert time.monotonic() - started >= 2
    heir.release()
    assert not store.has(layout.LEASE)


def test_a_lease_that_was_released_is_not_waited_for(store: Store, held: Lease) -> None:
    held.release()
    messages: list[str] = []
    heir = Lease(store)
    heir.acquire(messages.append)
    heir.release()
    assert messages == []


def test_a_driver_that_was_replaced_while_it_was_frozen_finds_out_and_leaves_the_lease(
    store: Store, held: Lease
) -> None:
    store.write(layout.LEASE, b'{"owner": "heir", "host": "there", "pid": 7, "since": "noon"}')

    def lost() -> bool:
        try:
            held.check()
        except RunError as error:
            return "process 7 on there, since noon has taken over" in str(error)
        return False

    assert eventually(lost)
    held.release()
    assert b"heir" in store.read(layout.LEASE)


def test_a_lease_outlasts_storage_that_fails_for_a_moment(s3: S3) -> None:
    store = Store.at(f"s3://{BUCKET}/failing")
    holder = Lease(store)
    holder.acquire(lambda line: None)
    with s3.failing(answers("503 Slow Down", "SlowDown")):
        assert eventually(lambda: len(s3.failed) > 3)
    before = store.read(layout.LEASE)
    assert eventually(lambda: store.read(layout.LEASE) != before)
    holder.check()
    holder.release()


def test_two_runs_never_write_to_one_directory_on_s3(s3: S3) -> None:
    place = f"s3://{BUCKET}/claimed"
    first, second = (RunDirectory.at(place, Config(), DATA) for _ in range(2))
    first.claim(Config(), DATA)
    with pytest.raises(UserError, match="another digits-ray run"):
        second.claim(Config(), DATA)
    first.close()
    second.claim(Config(), DATA)
    second.close()
