"""What is used of Ray without a promise: it exists in this Ray, and where it does not, a run goes on without."""

import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.job_config import JobConfig
from ray.job_submission import JobSubmissionClient

from digits_ray.scheduling import ray_internals
from digits_ray.scheduling.node_totals import UNIT

ATTRIBUTES = [
    ("ray._common.utils", "get_default_ray_temp_dir"),
    ("ray._common.utils", "get_system_memory"),
    ("ray._private.authentication.authentication_utils", "is_token_auth_enabled"),
    ("ray._private.ray_constants", "RAY_ENABLE_UV_RUN_RUNTIME_ENV"),
    ("ray._private.services", "find_bootstrap_address"),
    ("ray._private.state", "actors"),
    ("ray._private.state", "state.get_draining_nodes"),
    ("ray._private.utils", "estimate_available_memory"),
    ("ray._private.utils", "resolve_object_store_memory"),
    ("ray._private.worker", "_global_node"),
    ("ray._private.worker", "_worker_logs_enabled"),
    ("ray._raylet", "AuthenticationTokenLoader.instance"),
    ("ray.serve._private.replica", "add_port_to_grpc_server"),
    ("ray.serve.context", "_get_global_client"),
]


@pytest.mark.parametrize(("module", "name"), ATTRIBUTES, ids=lambda value: value)
def test_this_ray_has_what_is_used_of_it(module: str, name: str) -> None:
    value: Any = import_module(module)
    for part in name.split("."):
        assert hasattr(value, part)
        value = getattr(value, part)


def test_this_ray_s_objects_have_what_is_used_of_them() -> None:
    assert hasattr(JobConfig(), "_py_driver_sys_path")
    assert {"method", "endpoint"} <= set(inspect.signature(JobSubmissionClient._do_request).parameters)
    assert "_memory" in str(ray.init.__doc__)
    assert import_module("ray._raylet").RESOURCE_UNIT_SCALING == UNIT


def test_every_private_module_is_used_in_one_file_alone() -> None:
    package = Path(ray_internals.__file__).parents[1]
    private = ("from ray._", "import ray._", "from ray.serve._", "keras.src")
    users = [file.name for file in package.rglob("*.py") if any(text in file.read_text("utf8") for text in private)]
    assert sorted(users) == ["keras_internals.py", "ray_internals.py"]


@pytest.fixture
def another_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of Ray that has renamed all of it."""
    for module, _ in ATTRIBUTES:
        package, _, name = module.rpartition(".")
        monkeypatch.delattr(import_module(package), name, raising=False)
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(__name__=module))


def entered(context: Callable[[], Any]) -> bool:
    with context():
        return True


WITHOUT: list[tuple[Callable[[], Any], Any]] = [
    (lambda: ray_internals.memory_options(1 << 30), {}),
    (lambda: entered(ray_internals.nothing_uploaded), True),
    (ray_internals.silence_messages_of_nodes, None),
    (ray_internals.address_of_last_cluster, None),
    (ray_internals.has_token, False),
    (ray_internals.asks_for_token, True),
    (ray_internals.temporary_folder, Path("/where/it/is/ray")),
    (ray_internals.draining_nodes, set()),
    (lambda: ray_internals.has_process(None), False),
    (ray_internals.end_processes_here, None),
    (ray_internals.serve_address, None),
]


@pytest.mark.parametrize(("function", "value"), WITHOUT)
def test_a_run_does_without_what_another_ray_no_longer_has(
    function: Callable[[], Any], value: Any, another_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_TMPDIR", "/where/it/is")
    assert function() == value


@pytest.fixture
def worker_logs() -> Iterator[Any]:
    worker = import_module("ray._private.worker")
    before, worker._worker_logs_enabled = worker._worker_logs_enabled, True
    yield worker
    worker._worker_logs_enabled = before


def test_the_log_of_a_lost_node_is_kept_from_the_terminal(worker_logs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """By the function of Ray that prints what nodes publish to every driver."""
    published = {"lines": ["Raylet is terminated."], "pid": "raylet"}
    worker_logs.print_worker_logs(published, sys.stdout)
    assert "Raylet is terminated." in capsys.readouterr().out
    ray_internals.silence_messages_of_nodes()
    worker_logs.print_worker_logs(published, sys.stdout)
    assert capsys.readouterr().out == ""
