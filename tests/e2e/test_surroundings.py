"""What belongs to other programs, or lies beside the data, changes no bit of a result."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ALONE, LIMIT_SECONDS, NO_REPORT, digits_ray
from factories import write_kaggle_csv

ROOT = Path(__file__).parents[2]
RUN = ["run", *ALONE, "--preset", "smoke", "--members", "1", "--epochs", "2", "--cpus-per-member", "1",
       "--set", "members.recipe.batch_size=16", "--quiet"]  # fmt: skip
LIBRARIES = ("random", "types", "json", "yaml", "typing", "numpy", "pandas", "pyarrow", "ray", "keras", "tensorflow",
             "jax", "click", "rich", "pydantic", "sklearn", "scipy", "matplotlib", "packaging", "psutil")  # fmt: skip
KERAS_JSON = {"backend": "torch", "floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}
VARIABLES = {
    "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "1",
    "TF_NUM_INTRAOP_THREADS": "3", "TF_NUM_INTEROP_THREADS": "3", "OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3",
    "OPENBLAS_NUM_THREADS": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "TF_DETERMINISTIC_OPS": "1", "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit", "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "TF_CONFIG": '{"cluster": {"worker": ["no.such.host:1"]}, "task": {"type": "worker", "index": 0}}',
    "NVIDIA_TF32_OVERRIDE": "0", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "tpu", "JAX_DEBUG_NANS": "1",
    "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1", "PYTHONSTARTUP": "random.py", "PYTHONWARNINGS": "error",
    "MPLBACKEND": "no.such", "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "HOME": "/no/such/home",
    "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9",
    "all_proxy": "socks5://127.0.0.1:9", "no_proxy": "",
    "RAY_RUNTIME_ENV_HOOK": "no.such.hook", "RAY_JOB_ID": "07000000", "RAY_NAMESPACE": "stale",
    "SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "64", "SLURM_NTASKS": "64", "SLURM_PROCID": "5",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_kaggle_csv(folder / "train.csv", labelled=60)
    write_kaggle_csv(folder / "test.csv", labelled=12, with_labels=False, seed=1)
    return folder


def hostile_folder(folder: Path) -> Path:
    """A subfolder of a project, with files that have names of libraries, beside one that is too large to upload."""
    (folder / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '1'\n")
    below = folder / "subfolder"
    below.mkdir()
    for name in LIBRARIES:
        (below / f"{name}.py").write_text("raise SystemExit('a file of the user, not the library')\n")
    (below / "keras.json").write_text(json.dumps(KERAS_JSON))
    (below / "run").write_text('"${@:2}"\n')  # what bash, called uv, is given
    with (below / "large.bin").open("wb") as file:
        file.truncate(600 << 20)
    return below


def uv_run(cwd: Path, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command as a child of a process that Ray takes for `uv run`."""
    return subprocess.run(
        ["uv", "run", "--no-sync", *command], executable="/bin/bash", cwd=cwd, env=environment, umask=0o077,
        capture_output=True, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip


def results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("submission.csv", "ensemble.npz")}


@pytest.mark.slow
def test_hostile_surroundings_change_no_bit_of_a_result(data: Path, tmp_path: Path) -> None:
    """Settings of other programs, `uv run` and names of libraries: a real network."""
    files = ["--train", f"file://{data}/train.csv", "--test", f"file://{data}/test.csv"]
    command = [sys.executable, "-P", "-m", "digits_ray", *RUN]  # -P: as the installed command, not from the folder
    clean = os.environ | {"PYTHONPATH": f"{ROOT}"}
    plain = digits_ray(*RUN, *files, "--out", tmp_path / "clean", altered=NO_REPORT)
    assert plain.returncode == 0, plain.stderr
    cwd = hostile_folder(tmp_path)
    hostile = uv_run(cwd, [*command, *files, "--out", "run 1"], clean | VARIABLES | {"KERAS_HOME": str(cwd)})
    assert hostile.returncode == 0, hostile.stderr
    assert hostile.stdout == hostile.stderr == ""
    assert results(cwd / "run 1") == results(tmp_path / "clean")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("taskset"), reason="no taskset")
def test_the_doctor_counts_the_cpus_that_it_may_use(tmp_path: Path) -> None:
    cpu = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", cpu, sys.executable, "-m", "digits_ray", "doctor", "--preset", "smoke"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "1 CPU," in done.stdout
