"""What a member's process may use: precision, a part of a GPU, and one backend at a time."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from digits_ray.training import device
from digits_ray.training.device import resources


def test_choosing_a_device_loads_no_backend() -> None:
    code = "import sys, digits_ray.training.device; print(*sorted({'tensorflow', 'jax', 'keras'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_every_backend_answers_alike_where_there_is_no_gpu(backend: str) -> None:
    code = (
        "from digits_ray.training import device;"
        f"device.claim(device.DeviceResources(1, backend={backend!r}));"
        "print(device.name(), device.gpus(), device.num_replicas(), device.has_bfloat16() == device.cpu_has_bfloat16())"
    )
    answers = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answers.split() == ["cpu", "0", "1", "True"]


def test_a_backend_that_is_not_installed_is_replaced_by_one_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    assert [device.installed_backend(), device.installed_backend("jax")] == ["tensorflow", "jax"]
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert device.installed_backend() == "jax"
    monkeypatch.setitem(sys.modules, "jax", None)
    assert device.installed_backend() == "tensorflow"  # whose import says what is missing


def test_bfloat16_is_left_to_hardware_that_has_it(tmp_path) -> None:
    with_amx, without = tmp_path / "with", tmp_path / "without"
    with_amx.write_text("processor : 0\nflags : fpu avx2 amx_bf16\n")
    without.write_text("processor : 0\nflags : fpu avx2\n")
    assert device.cpu_has_bfloat16(with_amx)
    assert not device.cpu_has_bfloat16(without)
    assert not device.cpu_has_bfloat16(tmp_path / "nowhere")
    assert device.resolve_precision("bfloat16") == "mixed_bfloat16"
    assert device.resolve_precision("float32") == "float32"


def test_a_part_of_a_gpu_leaves_cuda_and_cudnn_gibs_of_their_own() -> None:
    assert device.tensor_gib(0.5, 80.0) == 38.5
    assert device.tensor_gib(0.25, 8.0) == 1.0  # never less than half of the part
    assert device.memory_limit_mib(0.5, 80 * 1024) == 38.5 * 1024
    assert 16 * device.memory_limit_mib(1 / 16, 81_559) < 81_559 - 16 * 1024  # 16 on an H100 left cuDNN nothing once


def test_without_its_size_a_part_of_a_gpu_is_a_tenth_short_of_its_share() -> None:
    assert resources.memory_fraction(0.25, None) == pytest.approx(0.225)
    assert resources.memory_fraction(0.5, 80 * 1024) == pytest.approx(38.5 / 80)


def test_cudnn_starts_before_anything_that_may_come_from_the_compilation_cache() -> None:
    """With a warm cache, every process on a GPU failed: cuDNN cannot start while a CUDA graph is captured."""
    pytest.importorskip("jax")
    code = (
        "from types import SimpleNamespace as Of;"
        "from digits_ray.training.device import DeviceResources, jax as on_jax;"
        "on_jax._device = lambda: Of(platform='gpu', device_kind='H100'); calls = [];"
        "on_jax.use_compilation_cache = calls.append; start = on_jax._start_cudnn;"
        "on_jax._start_cudnn = lambda: (start(), calls.append('cuDNN'));"
        "on_jax.limit_process(DeviceResources(1, gpus=1, backend='jax', compilation_cache={}));"
        "print(*calls)"
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
    for cache, calls in (("True", ["H100", "cuDNN"]), ("False", ["cuDNN"])):
        command = [sys.executable, "-c", code.format(cache)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.split() == calls


def test_a_part_of_a_gpu_replaces_what_the_user_s_environment_says_of_jax_s_memory() -> None:
    code = (
        "import os; from digits_ray.training import device;"
        "device.claim(device.DeviceResources(1, gpus=0.25, backend='jax'));"
        "print(*(os.environ.get(name) for name in ('XLA_CLIENT_MEM_FRACTION', 'XLA_PYTHON_CLIENT_MEM_FRACTION')));"
        "from jaxlib.xla_client import generate_pjrt_gpu_plugin_options as options; print(options()['memory_fraction'])"
    )
    environment = os.environ | {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.9", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["0.225", "None", "0.225"]


@pytest.mark.parametrize(("platform", "graphs"), [("cpu", None), ("gpu", "NO_SUCH_OPERATION")])
def test_a_loop_is_compiled_plainly_on_a_cpu_and_by_a_jaxlib_without_its_options(
    platform: str, graphs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jax")
    from digits_ray.training.device import jax as on_jax

    monkeypatch.setattr(on_jax, "_device", lambda: SimpleNamespace(platform=platform))
    monkeypatch.setitem(on_jax._CUDA_GRAPHS, "xla_gpu_enable_command_buffer", graphs or "FUSION")
    on_jax.loop_compiler_options.cache_clear()
    assert on_jax.loop_compiler_options() == {}
    on_jax.loop_compiler_options.cache_clear()


def test_a_loop_on_a_gpu_is_compiled_into_cuda_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    from digits_ray.training.device import jax as on_jax

    monkeypatch.setattr(on_jax, "_device", lambda: SimpleNamespace(platform="gpu"))
    monkeypatch.setitem(on_jax._CUDA_GRAPHS, "xla_gpu_enable_command_buffer", "FUSION")  # known to every jaxlib
    on_jax.loop_compiler_options.cache_clear()
    assert on_jax.loop_compiler_options()["xla_gpu_graph_min_graph_size"] == 2
    on_jax.loop_compiler_options.cache_clear()
