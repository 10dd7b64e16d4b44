"""Fixtures that several rooms of the tests share."""

import os
import secrets
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from s3_server import S3

# Before any test module imports Ray, which reads them then; the commands that tests start inherit them.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True)
def float32() -> Iterator[None]:
    """Leaves Keras as it starts: a member that a test trains in its own process sets the precision for all of it."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A Ray with two CPUs and no GPU, for the tests of one file: starting one takes seconds."""
    from digits_ray.config import ResourcesConfig
    from digits_ray.scheduling import ray_session

    with ray_session(ResourcesConfig(), num_cpus=2):
        yield


@pytest.fixture(scope="module")
def ray_with_gpus() -> Iterator[None]:
    """A Ray that believes it has four GPUs and 16 CPUs, for the tests of one file."""
    from digits_ray.config import ResourcesConfig
    from digits_ray.scheduling import ray_session

    with ray_session(ResourcesConfig(), num_cpus=16, num_gpus=4):
        yield


@pytest.fixture(scope="module")
def s3() -> Iterator["S3"]:
    """A real S3 server on loopback with one bucket, for the tests of one file."""
    from s3_server import reachable

    with reachable() as server:
        yield server
