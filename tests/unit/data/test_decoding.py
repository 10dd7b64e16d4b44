"""Decoding of many pictures: several processes, order, progress, and what ends them."""

import errno
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.synchronize import SemLock
from pathlib import Path

import numpy as np
import pytest
from picture_files import PICTURE, encoded

from digits_ray.config import DataConfig
from digits_ray.data.readers import decode
from digits_ray.data.readers.decode import Picture, decode_pictures
from digits_ray.data.readers.processes import process_map
from digits_ray.errors import RunError, UserError

MANY = 700  # more than two chunks
PICTURES = [Picture(f"{row}.png", encoded(PICTURE + np.uint8(row % 50))) for row in range(MANY)]


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_process_count", lambda *_: 2)


def test_few_small_pictures_need_no_processes_and_many_or_large_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "usable_cpus", lambda: 4)
    assert [decode._process_count(*job) for job in ((5_000, 784), (60_000, 784), (100, 12_000_000))] == [1, 4, 4]


def test_pictures_come_back_in_order_from_several_processes_with_progress(two_processes: None) -> None:
    told: list[tuple[int, int]] = []
    images = decode_pictures(PICTURES, DataConfig(), on_progress=lambda *counts: told.append(counts))
    assert images.tolist() == [(PICTURE + row % 50).tolist() for row in range(MANY)]
    assert told == [(256, MANY), (512, MANY), (MANY, MANY)]


def test_the_first_fault_in_order_is_told_whichever_process_finds_it_and_no_thread_fails_later(
    two_processes: None, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(decode, "_CHUNK_PICTURES", 2)
    pictures = list(PICTURES)
    for row in (690, 600, 30):
        pictures[row] = Picture(f"{row}.png", b"x")
    with pytest.raises(UserError, match=r"^30\.png: is not a picture"):
        decode_pictures(pictures, DataConfig())
    gc.collect()
    assert not [warning for warning in recwarn if "thread" in str(warning.message)]


def _end_itself(_: Sequence[Picture]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told_in_a_line() -> None:
    with pytest.raises(RunError, match=r"ended too early \(SIGKILL\(-9\)\)"), process_map(2) as mapped:
        list(mapped(_end_itself, [PICTURES[:1]]))


def test_without_semaphores_this_process_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are none without a writable /dev/shm."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(SemLock, "__init__", refuse)
    with process_map(2) as mapped:
        assert list(mapped(_own_process, [None])) == [os.getpid()]


def _own_process(_: None) -> int:
    return os.getpid()


def test_a_script_without_a_main_guard_is_not_run_again_by_the_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from digits_ray.data.readers.processes import process_map\n"
        "print('started')\n"
        "with process_map(2) as mapped:\n"
        "    print(*mapped(abs, [-1, 2]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("started\n1 2\n", "", 0)


def test_processes_import_no_files_that_lie_where_the_user_works(tmp_path: Path) -> None:
    for library in ("random", "numpy"):
        (tmp_path / f"{library}.py").write_text("raise SystemExit('not the library')")
    program = (
        "import math\n"
        "from digits_ray.data.readers.processes import process_map\n"
        "with process_map(2) as mapped:\n"
        "    print(list(mapped(math.sqrt, [1, 4])))\n"
    )
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[1.0, 2.0]\n", done.stderr


def test_more_pictures_than_a_container_s_memory_holds_are_refused_before_one_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "usable_memory", lambda: 1000)  # bytes; the machine itself has more
    with pytest.raises(UserError, match=r"this process may use 0 GiB. Set data.size"):
        decode_pictures(PICTURES, DataConfig())
