"""JAX's compilation cache: private, bounded, and never in the way of training."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, get_ident

import pytest
from waiting import eventually

from digits_ray.training.device import compilation_cache

pytest.importorskip("jax")

COMPILE = (
    "from digits_ray.training.device.compilation_cache import use_compilation_cache\n"
    "use_compilation_cache('NVIDIA H100 80GB HBM3')\n"
    "import jax\n"
    "print(jax.jit(lambda x: x * 3)(14), jax.config.jax_compilation_cache_max_size)"
)


def run(code: str, cache_home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(cache_home), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )


def test_programs_are_written_to_a_folder_that_is_the_user_s_alone(tmp_path: Path) -> None:
    assert run(COMPILE, tmp_path).stdout.split() == ["42", str(2 << 30)]
    (user_folder,) = tmp_path.iterdir()
    (folder,) = user_folder.iterdir()
    assert folder.name.endswith("-nvidia-h100-80gb-hbm3")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (user_folder, folder)] == [0o700, 0o700]
    assert any(folder.iterdir())


def test_a_folder_that_others_could_write_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / f"digits-ray-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    run(COMPILE, tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_to_another_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"digits-ray-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    done = run(COMPILE, tmp_path)
    assert done.stdout.split()[0] == "42"
    assert "compilation cache is off" in done.stderr
    assert not any((tmp_path / "elsewhere").iterdir())


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(COMPILE, tmp_path / "file")
    assert done.stdout.split()[0] == "42"
    assert done.stderr.count("compilation cache is off") == 1


def test_a_damaged_entry_costs_no_more_than_compiling_again(tmp_path: Path) -> None:
    run(COMPILE, tmp_path)
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(b"damaged")
    assert run(COMPILE, tmp_path).stdout.split()[0] == "42"


@pytest.mark.parametrize(
    "setting", [{"JAX_ENABLE_COMPILATION_CACHE": "false"}, {"JAX_COMPILATION_CACHE_DIR": "/dev/null/none"}]
)
def test_jax_s_own_settings_come_first(tmp_path: Path, setting: dict[str, str]) -> None:
    assert run(COMPILE, tmp_path, **setting).stdout.split() == ["42", "-1"]
    assert not any(tmp_path.iterdir())


def test_a_process_without_a_gpu_writes_none(tmp_path: Path) -> None:
    claim = "from digits_ray.training import device; device.claim(device.DeviceResources(1, gpus={}, backend='jax'))"
    for gpus in (0, 1):  # a GPU that only Ray believes in
        run(claim.format(gpus), tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert compilation_cache.cache_folder("1.2.3", "A GPU").parent.parent == Path.home() / ".cache"


def test_others_wait_for_the_first_that_compiles_and_then_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_is_in, first_may_leave, both_read = Event(), Event(), Barrier(2, timeout=60)
    order, waiting, try_lock = list[str](), set[int](), compilation_cache._try_lock

    def recorded_try_lock(file: int, kind: int) -> bool:
        locked = try_lock(file, kind)
        if not locked:
            waiting.add(get_ident())
        return locked

    def compile_first() -> None:
        with compilation_cache.first_alone(tmp_path / "lock"):
            first_is_in.set()
            assert first_may_leave.wait(60)
            order.append("compiled")

    def read() -> None:
        with compilation_cache.first_alone(tmp_path / "lock"):
            order.append("read")
            both_read.wait()

    monkeypatch.setattr(compilation_cache, "_try_lock", recorded_try_lock)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(compile_first)
        assert first_is_in.wait(60)
        others = [threads.submit(read) for _ in range(2)]
        assert eventually(lambda: len(waiting) == 2)
        first_may_leave.set()
        for thread in (first, *others):
            thread.result()
    assert order == ["compiled", "read", "read"]


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation_cache, "WAIT_SECONDS", 0.1)
    entered = 0
    with compilation_cache.first_alone(tmp_path / "lock"), compilation_cache.first_alone(tmp_path / "lock"):
        entered += 1
    with compilation_cache.first_alone(tmp_path / "no folder" / "lock"):
        entered += 1
    assert entered == 2
