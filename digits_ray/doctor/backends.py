"""Which backend of Keras sees which GPU of this machine, and whether a network trains there.

Each backend is tried in a process of its own: both in one would fight for the GPU, and a fault of CUDA's libraries may
end the process.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from digits_ray.training import device

DEADLINE_SECONDS = 120.0  # a backend is loaded from a perhaps slow disk, and compiles a convolution
PROBE_GPUS = 0.1  # of one: the network is tiny, and members may be training there
CUDNN_PACKAGES = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")
FULL_GPU = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "OUT_OF_MEMORY", "ALLOC_FAILED")
EXTRAS = {"tensorflow": "gpu", "jax": "jax-cuda"}  # with CUDA


@dataclass(frozen=True)
class BackendCheck:
    """What one backend makes of this machine's GPUs."""

    backend: str
    gpus: int = 0  # that it sees
    gpu_name: str = ""  # of the first
    error: str = ""  # one line; empty where a network was trained

    @property
    def name(self) -> str:
        """Returns "JAX 0.10.2"."""
        return f"{device.BACKENDS[self.backend]} {_version(self.backend)}"


def check_backends() -> list[BackendCheck]:
    """Tries every backend that is installed."""
    return [_check(backend) for backend in device.BACKENDS if _version(backend)]


def facts(checks: list[BackendCheck], gpus: int) -> list[tuple[str, str]]:
    """Returns what each backend sees and does, as names and texts, and what to install where it is not right.

    Args:
        checks: Of every installed backend.
        gpus: Of this machine.
    """
    return [("backend", f"{check.name} {_summary(check)}{_cure(check, gpus)}") for check in checks]


def problems(checks: list[BackendCheck], gpus: int, backend: str) -> list[str]:
    """Returns what keeps a run from the GPUs, a line each.

    Args:
        checks: Of every installed backend.
        gpus: Of this machine.
        backend: That members would train on; what others lack is no problem.
    """
    return [
        f"{check.name} {_summary(check)}{_cure(check, gpus)} Or use --gpus-per-member 0."
        for check in checks
        if check.backend == backend and _cure(check, gpus)
    ]


# The texts


def _summary(check: BackendCheck) -> str:
    if check.error:
        seen = f"sees {_gpus(check)}, but a convolution fails there" if check.gpus else "cannot be tried"
        return f"{seen} ({check.error})."
    return f"sees {_gpus(check)}{', and trains a convolution there' if check.gpus else ''}."


def _gpus(check: BackendCheck) -> str:
    if not check.gpus:
        return "no GPU"
    return f"{check.gpus} GPU{'s' if check.gpus > 1 else ''} ({check.gpu_name})"


def _cure(check: BackendCheck, gpus: int) -> str:
    """Returns what to install, or nothing where all is well."""
    install = f"pip install --upgrade 'digits-ray[{EXTRAS[check.backend]}]'"
    if check.gpus < gpus:
        return f" This machine has {gpus}. {install}."
    if not check.error:
        return ""
    if any(words in check.error for words in FULL_GPU):
        return " The GPU is full: end what else uses it (`nvidia-smi` lists it)."
    if check.backend == "jax":
        return f"{_cudnn()} {install}."
    known = "TensorFlow 2.21 fails with cuDNN 9.5.1 and works with 9.24"
    return f"{_cudnn()} {known}: pip install --upgrade nvidia-cudnn-cu12."


def _cudnn() -> str:
    """Returns which cuDNN is installed, where pip has installed one."""
    installed = [f"{package} {found}" for package in CUDNN_PACKAGES if (found := _version(package))]
    return f" Installed: {', '.join(installed)}." if installed else ""


def _version(package: str) -> str:
    """Returns an installed package's version, "" where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


# The process of each backend


def _check(backend: str) -> BackendCheck:
    command = [sys.executable, "-m", "digits_ray.doctor.backends", backend]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        # There, since Python imports from its working folder first, which may hold the user's files.
        cwd = Path(__file__).parents[2]
        done = subprocess.run(
            command, capture_output=True, timeout=DEADLINE_SECONDS, env=environment, cwd=cwd, text=True
        )
        return BackendCheck(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return BackendCheck(backend, error=f"no answer within {DEADLINE_SECONDS:.0f} s")
    except (IndexError, ValueError, TypeError):  # it ended before it could say anything
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        return BackendCheck(backend, error=f"its process ended with {done.returncode}: {''.join(last)}")


def _try_here(backend: str) -> BackendCheck:
    """Trains a tiny network on the first GPU, where this backend sees one."""
    gpus, gpu_name = 0, ""
    try:
        device.claim(device.DeviceResources(threads=1, gpus=PROBE_GPUS, backend=backend))
        gpus, gpu_name = device.gpus(), device.name()
        if gpus:
            _train_convolution()
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]  # XLA writes a hundred
        return BackendCheck(backend, gpus, gpu_name, f"{type(error).__name__}: {first_line}")
    return BackendCheck(backend, gpus, gpu_name)


def _train_convolution() -> None:
    """Trains one batch: a convolution forward and backward.

    Raises:
        FloatingPointError: the loss is no number.
    """
    import keras
    import numpy as np

    layers = [keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(2)]
    network = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    network.compile(optimizer="sgd", loss="mse")
    loss = network.train_on_batch(np.ones((16, 8, 8, 1), np.float32), np.ones((16, 2), np.float32))
    if not np.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss}")


if __name__ == "__main__":
    print(json.dumps(asdict(_try_here(sys.argv[1]))))
