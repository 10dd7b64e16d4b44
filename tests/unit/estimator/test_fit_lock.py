"""One fit at a time."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import LIMIT_SECONDS, eventually

from digits_ray.config import ResourcesConfig
from digits_ray.estimator.fit_lock import lock_file, locked_fit

HERE, ELSEWHERE = ResourcesConfig(), ResourcesConfig(address="head:6379")
HOLD = (
    "import sys\nfrom digits_ray.config import ResourcesConfig\nfrom digits_ray.estimator.fit_lock import locked_fit\n"
    "with locked_fit(ResourcesConfig()): print('holds', flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' fits do not matter."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def is_locked() -> bool:
    """Tells whether another process would have to wait."""
    with lock_file().open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_the_lock_is_the_user_s_on_this_machine(tmp_path: Path) -> None:
    assert lock_file().parent == tmp_path
    assert str(os.getuid()) in lock_file().name


def test_a_fit_keeps_other_processes_waiting_until_it_ends() -> None:
    with locked_fit(HERE):
        assert is_locked()
    assert not is_locked()


def test_a_fit_that_fails_lets_the_next_begin() -> None:
    with pytest.raises(ValueError, match="of the fit"), locked_fit(HERE):
        raise ValueError("of the fit")
    assert not is_locked()
    with locked_fit(HERE):
        pass


def test_a_fit_on_a_cluster_keeps_no_other_process_waiting() -> None:
    with locked_fit(ELSEWHERE):
        assert not is_locked()


@pytest.mark.parametrize("resources", [HERE, ELSEWHERE], ids=["here", "on a cluster"])
def test_two_threads_take_turns_since_ray_is_one_a_process(resources: ResourcesConfig) -> None:
    begun = threading.Event()

    def fit() -> None:
        with locked_fit(resources):
            begun.set()

    thread = threading.Thread(target=fit, daemon=True)
    with locked_fit(resources):
        thread.start()
        assert not begun.wait(0.2)
    assert begun.wait(LIMIT_SECONDS)
    thread.join()


def test_a_process_that_is_killed_lets_the_next_begin() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "holds\n"
    assert is_locked()
    holder.kill()
    holder.communicate()
    eventually(lambda: not is_locked())
