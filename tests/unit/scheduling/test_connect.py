"""How Ray is started or joined, whatever lies around: what it is given, and what is told where it cannot start."""

import errno
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from digits_ray.config.schema import ResourcesConfig
from digits_ray.errors import RunError, UserError
from digits_ray.scheduling import connect, session, start_failure


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Ray is started with."""
    arguments: dict[str, Any] = {}

    def init(**given: Any) -> None:
        from ray._private import ray_constants

        arguments.update(given, uploads_below_uv=ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV)

    monkeypatch.setattr(ray, "init", init)
    return arguments


def fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)


def test_a_run_below_uv_uploads_nothing_and_leaves_ray_as_it_was(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._private import ray_constants

    monkeypatch.setattr(ray_constants, "RAY_ENABLE_UV_RUN_RUNTIME_ENV", True)
    monkeypatch.setenv(ray_constants.RAY_RUNTIME_ENV_HOOK, "module.of.the.user.hook")
    connect.connect(None, {})
    assert given["uploads_below_uv"] is False
    assert ray_constants.RAY_RUNTIME_ENV_HOOK not in os.environ
    assert ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV is True


def test_a_worker_s_path_does_not_begin_with_the_user_s_folder(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    connect.connect(None, {})
    job = given["job_config"]
    job._py_driver_sys_path.extend([str(tmp_path), str(Path.cwd())])  # as ray._private.worker.connect does
    assert list(job._get_proto_job_config().py_driver_sys_path) == []


def test_a_package_that_only_this_process_would_find_is_on_the_worker_s_path(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(connect.__file__).parents[2])
    monkeypatch.setattr(sys, "path", [root, *(folder for folder in sys.path if folder != root)])
    assert connect._package_folder() == [root]
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert connect._package_folder() == []


def test_ray_gets_what_this_process_may_use(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "usable_cpus", lambda: 3)
    monkeypatch.setattr(connect, "memory_limit", lambda: 1 << 30)
    connect.connect(None, {})
    assert given["num_cpus"] == 3
    assert 0 < given["_memory"] + given["object_store_memory"] <= 1 << 30
    connect.connect(None, {"num_cpus": 7})
    assert given["num_cpus"] == 7


@pytest.mark.parametrize("limit", [None, 1 << 60])
def test_without_a_limit_of_which_ray_knows_nothing_it_measures_the_memory_itself(
    limit: int | None, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "usable_cpus", lambda: 3)
    monkeypatch.setattr(connect, "memory_limit", lambda: limit)
    connect.connect(None, {})
    assert given["num_cpus"] == 3
    assert not {"_memory", "object_store_memory"} & set(given)


NOT_ASCII = UnicodeEncodeError("ascii", "/t é/ray", 3, 4, "ordinal not in range(128)")
TOO_LONG = OSError("validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: /long/session/x")
CLOSED = PermissionError(13, "Permission denied", "/closed/ray")


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({"RAY_TMPDIR": "/long", "TMPDIR": "/tmp"}, TOO_LONG, r"Set RAY_TMPDIR to a folder with a shorter name"),
        ({"TMPDIR": "/long"}, TOO_LONG, r"Set TMPDIR to a folder with a shorter name"),
        ({"TMPDIR": "/closed"}, CLOSED, r"/closed/ray.*Set TMPDIR to a folder .*may be written"),
        ({"RAY_TMPDIR": "/closed"}, CLOSED, r"Set RAY_TMPDIR to a folder .*may be written"),
        ({}, CLOSED, r"Set RAY_TMPDIR"),
        (
            {"TMPDIR": "/t é"},
            NOT_ASCII,
            r"/t é/ray' has other letters than those of ASCII.*Set TMPDIR to a folder whose name has those",
        ),
    ],
)
def test_a_temporary_folder_that_cannot_be_used_is_told_with_the_variable_that_names_it(
    variables: dict[str, str], error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fails_with(error, monkeypatch)
    with pytest.raises(UserError, match=message):
        connect.connect(None, {})


def test_a_ray_that_is_late_is_no_fault_of_the_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(TimeoutError("The current node timed out during startup."), monkeypatch)
    with pytest.raises(RunError, match="did not start in time") as error:
        connect.connect(None, {})
    assert "TMPDIR" not in str(error.value)


@pytest.mark.parametrize("address", [None, "127.0.0.1:6379"])
def test_a_python_without_docstrings_is_told_so(
    address: str | None, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with pytest.raises(UserError, match=r"without docstrings.*Leave -OO, or PYTHONOPTIMIZE=2, out"):
        connect.connect(address, {})
    assert not given


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_a_system_without_processes_or_files_to_spare_is_no_fault_of_the_temporary_folder(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_failure, "tight_limits", lambda: " Try it without ulimit -u 250.")
    fails_with(OSError(number, os.strerror(number)), monkeypatch)
    with pytest.raises(RunError, match=rf"{os.strerror(number)}.*Try it without ulimit -u 250\.") as error:
        connect.connect(None, {})
    assert "Set " not in str(error.value)


@pytest.mark.parametrize(
    ("limits", "cure"),
    [
        (" Try it without ulimit -u 60.", r"Try it without ulimit -u 60\.$"),
        ("", r"Raise this user's or this container's limit of processes and threads\.$"),
    ],
)
def test_ray_is_not_started_where_its_libraries_would_abort_for_want_of_threads(
    limits: str, cure: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_failure, "startable_threads", lambda wanted: min(wanted, 52))
    monkeypatch.setattr(start_failure, "tight_limits", lambda: limits)
    with pytest.raises(UserError, match=rf"it needs 240 threads at least, .* start 52\. {cure}"):
        connect.connect(None, {})
    assert not given


DASHBOARD_LOG = """
The last 20 lines of dashboard.log (it contains the error message from the dashboard):
  File "/usr/lib/python3.11/site-packages/pydantic/config.py", line 58, in get
    warnings.warn(
pydantic.warnings.PydanticDeprecatedSince20: `Extra` is deprecated
Traceback (most recent call last):
"""


def test_the_error_of_ray_s_own_process_reaches_the_user_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def init(**_: Any) -> None:
        logging.getLogger("ray._private.services").error(DASHBOARD_LOG)
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(RunError, match=r"^Ray did not start here \(PydanticDeprecatedSince20: `Extra` is deprecated"):
        connect.connect(None, {})
    assert not caplog.records


def test_ray_s_variables_are_named_where_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """RAY_USE_TLS without certificates, for instance: Ray itself says nothing but that it waited for a file."""
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_CLIENT_MODE", "0")  # as Ray itself sets it when it is imported
    fails_with(RuntimeError("Timed out waiting for file gcs_server_port"), monkeypatch)
    message = r"waiting for file.*without the variables of Ray that are set: .*RAY_USE_TLS"
    with pytest.raises(RunError, match=message) as error:
        connect.connect(None, {})
    assert "RAY_CLIENT_MODE" not in str(error.value)


def test_a_full_disk_below_ray_s_temporary_files_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([1 << 20, 4096])  # it fills up while Ray starts
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=next(free)))
    fails_with(Exception("The current node timed out during startup."), monkeypatch)
    with pytest.raises(
        UserError, match=r"^Ray cannot start here: .* has less than 1 MiB free\. Set .*TMPDIR to a folder"
    ):
        connect.connect(None, {})


AGENT_LOG = """
2026-11-27 16:50:24,421	ERROR agent.py:560 -- label too long
Traceback (most recent call last):
  File "/usr/lib/python3.11/socket.py", line 794, in getfqdn
    hostname, aliases, ipaddrs = gethostbyaddr(name)
OSError: no address is left
"""


def test_what_ended_an_agent_of_ray_is_told_from_the_log_files_of_this_very_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [f"session_2026-11-27_16-50_{pid}" for pid in (os.getpid(), f"{os.getpid()}1")]
    for name, text in zip(sessions, (AGENT_LOG, AGENT_LOG.replace("no address", "nothing")), strict=True):
        (tmp_path / "ray" / name / "logs").mkdir(parents=True)
        (tmp_path / "ray" / name / "logs" / "dashboard_agent.log").write_text(text)
    (tmp_path / "ray" / "session_latest").symlink_to(sessions[1])  # of another run
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    fails_with(Exception("The current node timed out during startup."), monkeypatch)
    with pytest.raises(RunError, match=rf"\(OSError: no address is left .*\)\. Its .*{sessions[0]}/logs\."):
        connect.connect(None, {})


@pytest.mark.parametrize("name", ["a" * 64, "m\udcfcnchen"])
def test_a_name_of_the_machine_that_networks_cannot_use_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray says that it took too long: its agents have ended."""
    monkeypatch.setattr("socket.gethostname", lambda: name)
    fails_with(Exception("The current node timed out during startup."), monkeypatch)
    with pytest.raises(
        UserError, match=r"networks cannot use the name of this machine, .* \(.+\)\. Give it one of at most 63"
    ):
        connect.connect(None, {})


def test_a_ray_that_starts_here_keeps_nothing_in_the_redis_of_another(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no Redis answers, Ray would end the process after a minute, with a stack trace on the screen."""
    monkeypatch.setenv("RAY_REDIS_ADDRESS", "127.0.0.1:1")
    connect.connect(None, {})
    assert "RAY_REDIS_ADDRESS" not in os.environ


def test_a_relative_or_empty_temporary_folder_is_told_to_ray_as_an_absolute_one(
    given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_TMPDIR", "relative")
    monkeypatch.setenv("TMPDIR", "")
    connect.connect(None, {})
    assert os.environ["RAY_TMPDIR"] == str(tmp_path / "relative")
    assert "TMPDIR" not in os.environ


def test_a_loopback_interface_that_is_off_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*given: Any, **how: Any) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("it would wait for minutes"))
    monkeypatch.setattr("socket.create_connection", unreachable)
    with pytest.raises(UserError, match=r"127\.0\.0\.1, which does not work .*Network is unreachable"):
        connect.connect(None, {})


def test_a_disk_without_any_space_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("it would wait for half a minute"))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=4096))
    with pytest.raises(
        UserError, match=r"^Ray cannot start here: .* has less than 1 MiB free\. Set .*TMPDIR to a folder"
    ):
        connect.connect(None, {})


def test_what_ray_s_libraries_print_while_it_starts_stays_off_the_screen(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a network, for instance, that 8.8.8.8 was not reached."""
    monkeypatch.setattr(ray, "init", lambda **_: os.write(2, b"W network_util.cc:330: Failed to determine local IP"))
    connect.connect(None, {})
    assert capfd.readouterr().err == ""


def test_warnings_that_python_is_to_take_for_errors_end_none_of_ray_s_processes(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    connect.connect(None, {})
    assert "PYTHONWARNINGS" not in os.environ


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://127.0.0.1:10001", r"--address auto.*digits-ray submit"),
        ("http://127.0.0.1:8265", r"digits-ray submit --address http://127.0.0.1:8265"),
        ("127.0.0.1:1", r"ray start --head --port=1`, or leave --address out"),
    ],
)
def test_an_address_that_cannot_be_joined_is_refused_with_what_helps(address: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"--address {address}: .*{message}"):
        connect.connect(address, {})


def test_auto_does_not_wait_for_a_cluster_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a reboot: Ray's note of the last cluster is left in its temporary folder."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda temp_dir: "127.0.0.1:1")
    with pytest.raises(UserError, match=r"--address auto: nothing answers at 127.0.0.1:1, where the last cluster"):
        connect.connect("auto", {})


def test_an_address_from_the_environment_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # of a cluster that has ended
    with pytest.raises(UserError, match=r"^RAY_ADDRESS=127.0.0.1:1: nothing answers.*or unset RAY_ADDRESS to run here"):
        connect.connect("127.0.0.1:1", {})


def test_where_no_cluster_was_ever_started_auto_says_how_to_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda temp_dir: None)
    fails_with(ConnectionError("Could not find any running Ray instance."), monkeypatch)
    with pytest.raises(UserError, match=r"RAY_ADDRESS=auto: no Ray .*instance\)\. .*unset RAY_ADDRESS to run here"):
        connect.connect("auto", {})


def test_ray_starts_here_where_the_environment_says_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert session.cluster_address(ResourcesConfig()) is None


def test_a_mode_without_a_token_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    connect.protect()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"a web server.*digits-ray submit --address http://127.0.0.1:"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no Ray cluster"),
        (b"", "no Ray cluster"),
    ],
    ids=["a dashboard", "an SSH server", "one that hangs up"],
)
def test_another_server_is_refused_at_once(answer: bytes, message: str) -> None:
    with server_that_answers(answer) as address, pytest.raises(UserError, match=message):
        connect.connect(address, {})


def test_a_server_that_never_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UserError, match="no Ray cluster"):
        connect.connect(f"127.0.0.1:{silent.getsockname()[1]}", {})


def test_a_server_of_ray_s_kind_is_joined(given: dict[str, Any]) -> None:
    with server_that_answers(bytes(3) + b"\x04" + bytes(5)) as address:
        connect.connect(address, {})
    assert given["address"] == address


@contextmanager
def server_that_answers(answer: bytes) -> Iterator[str]:
    """Listens for one connection, which it gives this answer."""

    def answer_once(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(answer)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=answer_once, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_ray_that_the_caller_has_imported_writes_no_token_into_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not, where that is read-only or missing, and would tell of a temporary folder."""
    code = (
        "import os, ray; from digits_ray.scheduling.connect import protect; protect();"
        "from ray._private.authentication import authentication_token_setup as setup;"
        "setup.enable_token_auth_by_default(); setup.ensure_token_if_auth_enabled();"
        "print(os.environ['RAY_AUTH_TOKEN'])"
    )
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    command, home = [sys.executable, "-c", code], {"HOME": str(tmp_path)}
    ended = subprocess.run(command, env=os.environ | home, capture_output=True, text=True)
    assert len(ended.stdout.strip()) == 64, ended.stderr
    assert not list(tmp_path.iterdir())
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a" * 64)
    ended = subprocess.run(command, env=os.environ | home, capture_output=True, text=True)
    assert "KeyError: 'RAY_AUTH_TOKEN'" in ended.stderr  # the caller's own is used
