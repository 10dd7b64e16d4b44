"""Cables that are pulled, for a while or for good: hosts with addresses of their own, Ray's own settings, S3."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from host_cluster import HostCluster, Run, cluster_on_hosts
from hosts import cut, why_impossible
from waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

WORKERS = {"steady": 4, "back-in-20-s": 1, "back-in-60-s": 1, "gone": 1}  # CPUs, by the name of the host
MEMBERS, EPOCHS = 4, 12
SIZE = ["--members", MEMBERS, "--epochs", EPOCHS]
INSTANT = {"members": "numpy_fit:prepare_instant_fit"}
SLOW = {"members": "numpy_fit:prepare_slow_fit"}  # a second for each epoch


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCluster]:
    if reason := why_impossible():
        pytest.skip(reason)
    with cluster_on_hosts(WORKERS, tmp_path_factory.mktemp("hosts")) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(cluster: HostCluster) -> bytes:
    """The probabilities of a run that nothing happens to."""
    calm = cluster.run("calm", *SIZE, **INSTANT)
    assert calm.end() == 0, calm.stderr
    return cluster.s3.get("calm/ensemble.npz")


@dataclass(frozen=True)
class Disturbed:
    """A run during which cables were pulled."""

    run: Run
    attempts: list[int]  # of each member
    members_on: dict[str, int]  # when the cables were pulled, by host


@pytest.fixture(scope="module")
def disturbed(cluster: HostCluster, undisturbed: bytes) -> Disturbed:
    """Three hosts are cut off at once, one of them for good; meanwhile the driver does not reach the storage."""
    run = cluster.run("disturbed", *SIZE, **SLOW)
    assert eventually(lambda: len(cluster.saved_epochs("disturbed")) == MEMBERS or run.process.poll() is not None)
    members_on, hosts = {name: cluster.members_on(name) for name in WORKERS}, cluster.hosts
    for name in ("back-in-20-s", "back-in-60-s", "gone"):
        hosts[name].pull_cable()
    with cut(hosts["driver"], hosts["storage"]):
        time.sleep(20)
        hosts["back-in-20-s"].plug_cable()
        time.sleep(20)
    time.sleep(20)
    hosts["back-in-60-s"].plug_cable()
    assert run.end() == 0, run.stderr
    members = json.loads(cluster.s3.get("disturbed/metrics.json"))["members"]
    return Disturbed(run, [member["attempts"] for member in members], members_on)


def test_the_run_ends_bit_for_bit_as_undisturbed(
    cluster: HostCluster, undisturbed: bytes, disturbed: Disturbed
) -> None:
    assert set(disturbed.members_on.values()) == {1}
    assert cluster.s3.get("disturbed/ensemble.npz") == undisturbed


def test_a_cable_pulled_for_20_seconds_costs_no_process_and_for_good_only_those_behind_it(disturbed: Disturbed) -> None:
    again = sum(attempts > 1 for attempts in disturbed.attempts)
    assert again in (1, 2)  # Ray notices a lost host after about a minute, and one comes back then


def test_the_terminal_shows_a_line_for_each_lost_host_and_nothing_of_rays(disturbed: Disturbed) -> None:
    assert "node gone left the cluster; its members go on elsewhere" in disturbed.run.stderr.splitlines()
    for text in (disturbed.run.stdout, disturbed.run.stderr):
        assert "raylet" not in text.lower()
        assert "StackTrace" not in text
        assert "Traceback" not in text


def test_a_driver_that_does_not_reach_the_storage_tries_again(disturbed: Disturbed) -> None:
    assert "the storage fails" in disturbed.run.stderr
    assert "trying again" in disturbed.run.stderr


def test_a_head_or_a_storage_that_is_gone_ends_the_run_with_one_line_and_the_same_command_finishes(
    cluster: HostCluster, undisturbed: bytes
) -> None:
    command = [*SIZE, "--quiet"]
    sooner = {"digits_ray.storage.remote:RETRY_SECONDS": 5.0}

    run = cluster.run("ended", *command, **SLOW)
    assert eventually(lambda: len(cluster.saved_epochs("ended")) == MEMBERS)
    cluster.hosts["head"].pull_cable()
    assert_ended_with_one_line(run, "the Ray cluster does not answer any more")
    cluster.hosts["head"].plug_cable()

    run = cluster.run("ended", *command, **SLOW, **sooner)
    assert eventually(lambda: max(cluster.saved_epochs("ended").values(), default=0) > EPOCHS - 3)
    cluster.hosts["storage"].pull_cable()
    assert_ended_with_one_line(run, "the storage failed for 5 s")
    cluster.hosts["storage"].plug_cable()

    run = cluster.run("ended", *command, **SLOW)
    assert run.end() == 0, run.stderr
    assert cluster.s3.get("ended/ensemble.npz") == undisturbed


def assert_ended_with_one_line(run: Run, line: str) -> None:
    assert run.end() == 1, run.stderr
    ours = [text for text in run.stderr.splitlines() if "WARNING" not in text and "trying again" not in text]
    assert line in ours[-1], run.stderr
    assert "the same command" in ours[-1], run.stderr
    assert len(ours) == 1, run.stderr
    assert not run.stdout, run.stdout
