"""Which backend sees which GPU, and what to install. What its process says is pretended, but for its failures."""

import subprocess
import sys
from pathlib import Path

import pytest

from digits_ray.config.schema import Config, ResourcesConfig
from digits_ray.doctor import backends, checks
from digits_ray.doctor.backends import BackendCheck, check_backends, facts, problems

VERSIONS = {"tensorflow": "2.21.0", "jax": "0.11.2", "nvidia-cudnn-cu12": "9.5.1.17"}
TENSORFLOW = BackendCheck("tensorflow", 1, "NVIDIA H100")
JAX = BackendCheck("jax", 1, "NVIDIA H100")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Both backends, and a cuDNN."""
    versions = dict(VERSIONS)
    monkeypatch.setattr(backends, "_version", lambda package: versions.get(package, ""))
    return versions


def text(check: BackendCheck, gpus: int = 1) -> str:
    ((name, line),) = facts([check], gpus)
    assert name == "backend"
    return line


def test_a_backend_that_trains_on_the_gpu_is_a_fact_and_no_problem() -> None:
    assert text(TENSORFLOW) == "TensorFlow 2.21.0 sees 1 GPU (NVIDIA H100), and trains a convolution there."
    assert problems([TENSORFLOW, JAX], 1, "tensorflow") == []


def test_a_backend_without_cuda_says_what_to_install() -> None:
    line = text(BackendCheck("jax"), gpus=4)
    assert line == "JAX 0.11.2 sees no GPU. This machine has 4. pip install --upgrade 'digits-ray[jax-cuda]'."
    assert "'digits-ray[gpu]'" in text(BackendCheck("tensorflow"))


def test_a_convolution_that_fails_names_the_cudnn_that_is_installed_and_those_that_are_known() -> None:
    line = text(BackendCheck("tensorflow", 1, "NVIDIA H100", "InternalError: DNN library initialization failed"))
    assert "sees 1 GPU (NVIDIA H100), but a convolution fails there (InternalError: DNN library" in line
    assert "Installed: nvidia-cudnn-cu12 9.5.1.17. TensorFlow 2.21 fails with cuDNN 9.5.1 and works with 9.24" in line
    assert "pip install --upgrade nvidia-cudnn-cu12." in line


def test_a_full_gpu_is_nothing_that_an_installation_cures() -> None:
    line = text(BackendCheck("jax", 1, "NVIDIA H100", "JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory"))
    assert line.endswith("The GPU is full: end what else uses it (`nvidia-smi` lists it).")


def test_only_the_backend_that_members_would_train_on_keeps_a_run_back() -> None:
    broken = [BackendCheck("tensorflow", 1, "NVIDIA H100", "InternalError"), JAX]
    assert problems(broken, 1, "jax") == []
    (problem,) = problems(broken, 1, "tensorflow")
    assert problem.endswith("Or use --gpus-per-member 0.")


def test_what_is_not_installed_is_not_tried(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_check", BackendCheck)
    del installed["tensorflow"]
    assert check_backends() == [BackendCheck("jax")]


@pytest.mark.parametrize(
    ("code", "deadline", "error"),
    [
        ("import time; time.sleep(600)", 1, "no answer within 1 s"),
        ("import os; os.write(2, b'CUDA is lost\\n'); os.abort()", 300, "its process ended with -6: CUDA is lost"),
        ("raise SystemExit(3)", 300, "its process ended with 3: "),
    ],
)
def test_a_process_that_hangs_or_dies_is_an_error_of_its_backend(
    code: str, deadline: float, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run
    monkeypatch.setattr(backends, "DEADLINE_SECONDS", deadline)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run([sys.executable, "-c", code], **options))
    assert backends._check("jax") == BackendCheck("jax", error=error)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_backend_s_process_tells_that_it_sees_no_gpu_here(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever files with names of libraries lie where the user works."""
    pytest.importorskip(backend)
    (tmp_path / "numpy.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    check = backends._check(backend)
    assert (check.backend, check.error) == (backend, "")
    assert check.gpus == 0 or check.gpu_name != "cpu"


def test_a_convolution_whose_loss_is_no_number_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    backends._train_convolution()
    monkeypatch.setattr(keras.Sequential, "train_on_batch", lambda *given: float("nan"))
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        backends._train_convolution()


def test_what_xla_says_in_a_hundred_lines_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("INTERNAL: Failed to get configs for: 20 out of 85 instructions\n  fusion.1\n  fusion.2")

    monkeypatch.setattr(backends.device, "claim", lambda resources: None)
    monkeypatch.setattr(backends.device, "gpus", lambda: 1)
    monkeypatch.setattr(backends.device, "name", lambda: "NVIDIA H100")
    monkeypatch.setattr(backends, "_train_convolution", fail)
    error = "RuntimeError: INTERNAL: Failed to get configs for: 20 out of 85 instructions"
    assert backends._try_here("jax") == BackendCheck("jax", 1, "NVIDIA H100", error)


@pytest.mark.parametrize(("gpus", "gpus_per_member", "tried"), [(1, "auto", 1), (0, "auto", 0), (1, 0, 0)])
def test_doctor_tries_the_backends_where_members_would_use_a_gpu(
    gpus: int, gpus_per_member: object, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = ResourcesConfig(gpus_per_member=gpus_per_member)  # type: ignore[arg-type]
    findings, config = checks.Findings(), Config(resources=resources)
    monkeypatch.setattr(backends, "check_backends", lambda: [BackendCheck("tensorflow")])
    checks._examine_backends(config, gpus, findings)
    assert (len(findings.facts), len(findings.problems)) == (tried, tried)
