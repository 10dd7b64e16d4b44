"""What is read of nvidia-smi's answers, by a stand-in for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from digits_ray.training import device
from digits_ray.training.device import Gpu

H100 = "0, GPU-aa, 81559, 62720, NVIDIA H100 80GB HBM3"
L4 = "1, GPU-bb, 23034, 4, NVIDIA L4"
PROCESSES = "GPU-aa, 4711, /usr/bin/python3\nGPU-aa, 17, [Not Found]"

Tool = Callable[[str, str], None]


@pytest.fixture
def nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tool:
    """Puts a tool there that answers so; "" fails."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def install(gpus: str, processes: str = "") -> None:
        (tmp_path / "gpus").write_text(gpus)
        (tmp_path / "processes").write_text(processes)
        tool = tmp_path / "nvidia-smi"
        tool.write_text(
            f'#!/bin/sh\ncd {tmp_path}; echo "$@" >> asked\n'
            'case "$1" in\n'
            "--query-gpu=memory.total) cut -d, -f3 gpus ;;\n"
            "--query-gpu*) cat gpus ;;\n"
            "*) cat processes ;;\n"
            "esac\n"
            "test -s gpus\n"
        )
        tool.chmod(0o755)

    return install


def test_each_gpu_is_known_by_its_memory_and_by_what_uses_it(nvidia_smi: Tool) -> None:
    nvidia_smi(f"{H100}\n{L4}\n", PROCESSES)
    assert device.read_gpus() == (
        Gpu(0, "NVIDIA H100 80GB HBM3", 81559, 62720, ("4711 (python3)", "17")),
        Gpu(1, "NVIDIA L4", 23034, 4),
    )
    assert device.read_gpus()[0].used_gib == 61.25


def test_the_memory_of_a_process_s_own_gpu_is_asked_for(
    nvidia_smi: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_smi(f"{L4}\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    assert device.gpu_memory_mib() == 23034
    assert "--id=1 " in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("answer", ["", "0, GPU-aa, [N/A], [N/A], Tegra\n", "No devices were found\n"])
def test_what_the_tool_does_not_know_is_unknown(nvidia_smi: Tool, answer: str) -> None:
    nvidia_smi(answer)
    assert device.read_gpus() == ()
    assert device.gpu_memory_mib() is None


def test_without_the_tool_nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device.read_gpus() == ()
