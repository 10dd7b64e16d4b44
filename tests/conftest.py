"""Fixtures that several packages of the tests share, and the order that the tests run in."""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from s3_server import S3

# Before any test module imports Ray, which reads them then; the commands that tests start inherit them.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("PYTHONUNBUFFERED", None)  # commands run as on a user's terminal: buffers can fail when Python ends
# Ray's workers, and commands with changes, import what trains members in numpy.
SUPPORT = str(Path(__file__).parent / "support")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SUPPORT, os.environ.get("PYTHONPATH")]))

SHARED_RAYS = ("ray_here", "ray_with_a_gpu", "ray_with_gpus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests next to each other that share a Ray."""
    items.sort(key=_shared_ray)


def _shared_ray(item: pytest.Item) -> int:
    names = getattr(item, "fixturenames", ())
    return next((number for number, name in enumerate(SHARED_RAYS) if name in names), -1)


@pytest.fixture(autouse=True)
def float32() -> Iterator[None]:
    """Leaves Keras as it starts: a member that a test trains in its own process sets the precision for all of it."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def _shared_ray_ends() -> Iterator[None]:
    import shared_ray

    yield
    shared_ray.stop()


@pytest.fixture
def ray_here(_shared_ray_ends: None) -> None:
    """A Ray with two CPUs and no GPU."""
    import shared_ray

    shared_ray.start(num_cpus=2)


@pytest.fixture
def ray_with_a_gpu(_shared_ray_ends: None) -> None:
    """A Ray that believes it has one GPU and four CPUs."""
    import shared_ray

    shared_ray.start(num_cpus=4, num_gpus=1)


@pytest.fixture
def ray_with_gpus(_shared_ray_ends: None) -> None:
    """A Ray that believes it has four GPUs and 16 CPUs."""
    import shared_ray

    shared_ray.start(num_cpus=16, num_gpus=4)


@pytest.fixture
def numpy_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this process train members in numpy and draw no report: for tests of what happens to processes."""
    from commands import NUMPY_MEMBERS

    from digits_ray.scheduling import ActorInputs

    monkeypatch.setattr(ActorInputs.__init__, "__defaults__", (NUMPY_MEMBERS["members"],))
    for step in ("open_process", "begin", "finish"):
        monkeypatch.setattr(f"digits_ray.report.drawing.ReportDrawing.{step}", lambda *given: None)


@pytest.fixture(scope="module")
def s3() -> Iterator["S3"]:
    """A real S3 server on loopback with one bucket, for the tests of one file."""
    from s3_server import reachable

    with reachable() as server:
        yield server
