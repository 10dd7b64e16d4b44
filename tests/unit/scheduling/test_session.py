"""Which errors end a session as the cluster's own."""

import errno
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import ray

from digits_ray.config.schema import ResourcesConfig
from digits_ray.errors import RunError, UserError
from digits_ray.scheduling import session

BROKEN = "def wait():\n    raise OSError('Broken pipe')"  # what ray.wait raises when its node has just died


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda *given: None)


def test_a_broken_connection_to_ray_is_told_in_one_line() -> None:
    client: dict[str, Any] = {"__name__": "ray._raylet"}
    exec(BROKEN, client)
    error_text = r"does not answer any more \(OSError: Broken pipe\)"
    with pytest.raises(RunError, match=error_text), session.ray_session(ResourcesConfig()):
        client["wait"]()


def test_any_other_error_of_the_system_stays_what_it_is() -> None:
    with pytest.raises(OSError, match=r"^Broken pipe$"), session.ray_session(ResourcesConfig()):
        raise OSError("Broken pipe")


def test_runs_of_two_threads_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has one Ray: what one run starts must not end under another."""
    at_work = Event()
    monkeypatch.setattr(ray, "is_initialized", at_work.is_set)
    monkeypatch.setattr(session, "connect", lambda *given: at_work.set())
    monkeypatch.setattr(session, "_shut_down", lambda *given: at_work.clear())

    def run(seconds: float) -> bool:
        with session.ray_session(ResourcesConfig()):
            time.sleep(seconds)
            return at_work.is_set()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run, [0.05, 0.2])) == [True, True]


def test_the_caller_s_own_ray_is_shared_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(session, "_shut_down", lambda *given: pytest.fail("it was ended"))
    with session.ray_session(ResourcesConfig()), ThreadPoolExecutor(1) as thread:
        thread.submit(session.ray_session(ResourcesConfig()).__enter__).result(timeout=10)


def test_temporary_files_that_cannot_be_deleted_cost_nothing_and_leave_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk of Ray's temporary files was mounted read-only in the middle of a run."""
    ended, calls = [], []
    node = SimpleNamespace(kill_all_processes=lambda **how: ended.append("processes"))
    monkeypatch.setattr("ray._private.worker._global_node", node)

    def shutdown() -> None:
        calls.append(ray._private.worker._global_node)
        if calls == [node]:
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ray, "shutdown", shutdown)
    with session.ray_session(ResourcesConfig()):
        pass
    assert ended == ["processes"]
    assert calls == [node, None]


@pytest.mark.parametrize("error_type", [UserError, RunError])
def test_variables_of_ray_s_are_named_where_a_run_on_this_machine_fails(
    error_type: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAY_OVERRIDE_RESOURCES takes its CPUs away, for instance, and RAY_memory_usage_threshold ends every member."""
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 0}')
    monkeypatch.setattr(session, "_shut_down", lambda *given: None)
    named = r"^no CPU\. These variables of Ray are set: .*RAY_OVERRIDE_RESOURCES"
    with pytest.raises(error_type, match=named), session.ray_session(ResourcesConfig()):
        raise error_type("no CPU.")
    with pytest.raises(error_type, match=r"^no CPU\.$"), session.ray_session(ResourcesConfig(address="head:6379")):
        raise error_type("no CPU.")


def test_sigterm_while_ray_starts_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(*_: Any) -> None:
        raise SystemExit(15)  # Ray's own handler of SIGTERM

    monkeypatch.setattr(session, "connect", exits)
    with pytest.raises(KeyboardInterrupt), session.ray_session(ResourcesConfig()):
        pass


def test_a_silent_head_keeps_neither_the_message_nor_the_exit_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    import atexit
    import threading

    import ray

    answered = threading.Event()
    at_exit: list[object] = []
    monkeypatch.setattr(ray, "shutdown", answered.wait)
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(session, "LEAVE_SECONDS", 0.05)
    joined = session.ray_session(ResourcesConfig(address="10.0.0.1:6379"))
    with pytest.raises(RunError, match="gone"), joined:
        raise RunError("gone")
    assert at_exit == [session._exit_at_once]
    answered.set()


def test_streams_that_cannot_be_written_do_not_keep_the_process_from_its_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def flush(self) -> None:
            raise OSError("No space left on device")

    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    monkeypatch.setattr("sys.stdout", Full())
    monkeypatch.setattr("sys.stderr", None)
    session._exit_at_once()
    assert codes == [1]


def test_a_script_of_ray_s_name_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    script = ModuleType("ray")
    script.__file__ = "/home/me/ray.py"
    monkeypatch.setitem(sys.modules, "ray", script)
    with (
        pytest.raises(UserError, match=r"^/home/me/ray\.py is imported instead of the library Ray\. Rename it\.$"),
        session.ray_session(ResourcesConfig()),
    ):
        pass


def test_a_fork_of_a_process_that_has_used_ray_is_told_what_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray ended it by a segmentation fault."""
    monkeypatch.setattr(session, "_process_with_ray", os.getpid() + 1)
    with (
        pytest.raises(UserError, match=r"fork of one that has used Ray.*get_context\('spawn'\)"),
        session.ray_session(ResourcesConfig()),
    ):
        pass
