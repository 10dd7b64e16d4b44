"""Variables of other programs reach no numerical library of a member's process."""

import os
import subprocess
import sys
import warnings

import pytest

from digits_ray.cli.main import main
from digits_ray.training.device.environment import clean_environment

HOSTILE = {
    "TF_ENABLE_ONEDNN_OPTS": "0", "TF_DETERMINISTIC_OPS": "1", "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_NUM_INTRAOP_THREADS": "7", "TF_NUM_INTEROP_THREADS": "7", "TF_CONFIG": "{}", "TF_USE_LEGACY_KERAS": "1",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "1", "TF_CUDNN_DETERMINISTIC": "1", "TF_DISABLE_MKL": "1",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1", "NVIDIA_TF32_OVERRIDE": "0", "CUBLAS_WORKSPACE_CONFIG": ":0:0",
    "CUDNN_LOGINFO_DBG": "1", "JAX_ENABLE_X64": "1", "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DEBUG_NANS": "1", "JAX_PLATFORMS": "tpu", "JAX_PLATFORM_NAME": "tpu", "JAX_DISABLE_JIT": "1",
    "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_NUMPY_RANK_PROMOTION": "raise",
    "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41",
    "MKL_NUM_THREADS": "7", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_NUM_THREADS": "7", "OPENBLAS_CORETYPE": "Prescott",
    "OMP_DYNAMIC": "true", "KMP_AFFINITY": "disabled", "GOMP_CPU_AFFINITY": "0", "NPY_DISABLE_CPU_FEATURES": "AVX2",
    "SKLEARN_ASSUME_FINITE": "true", "SKLEARN_WORKING_MEMORY": "much", "SCIPY_ARRAY_API": "1",
    "LOKY_MAX_CPU_COUNT": "x", "JOBLIB_MULTIPROCESSING": "x",
}  # fmt: skip
HARMLESS = {
    "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "JAX_COMPILATION_CACHE_DIR": "/c",
    "CUDA_VISIBLE_DEVICES": "1", "KERAS_HOME": "/k", "RAY_JOB_ID": "1", "PATH": "/bin", "SLURM_CPUS_PER_TASK": "4",
}  # fmt: skip


def test_what_changes_numbers_is_removed_and_everything_else_stays() -> None:
    environment = HOSTILE | HARMLESS | {"OMP_NUM_THREADS": "7"}
    clean_environment(environment, threads=2)
    assert environment == HARMLESS | {"OMP_NUM_THREADS": "2"}


def test_a_command_s_own_process_has_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It predicts and draws; TensorFlow ends a process whose TF_XLA_FLAGS it does not know."""
    unwanted = HOSTILE | {"MPLBACKEND": "no.such", "PYTHONWARNINGS": "error"}
    for name, value in (unwanted | HARMLESS).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit), warnings.catch_warnings():
        main(["presets"])
    assert not unwanted.keys() & os.environ.keys()
    assert HARMLESS.items() <= os.environ.items()


def test_warnings_that_the_user_takes_for_errors_end_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SystemExit):
            main(["presets"])
        warnings.warn("of a library", stacklevel=1)


def test_joblib_does_not_warn_on_the_screen_that_it_does_without_dev_shm() -> None:
    with warnings.catch_warnings(record=True) as shown:
        with pytest.raises(SystemExit):
            main(["presets"])
        for module in ("joblib._multiprocessing_helpers", "my_network"):
            warnings.warn_explicit("Read-only file system", UserWarning, "file.py", 1, module)
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        ("--xla_cpu_enable_fast_math=true --xla_gpu_cuda_data_dir=/cuda", "--xla_gpu_cuda_data_dir=/cuda"),
        ("--xla_force_host_platform_device_count=4", None),
    ],
)
def test_xla_s_flags_are_removed_but_for_where_cuda_is(flags: str, left: str | None) -> None:
    environment = {"XLA_FLAGS": flags}
    clean_environment(environment, threads=1)
    assert environment.get("XLA_FLAGS") == left


COMPUTE = """
from digits_ray.training import device
device.claim(device.DeviceResources(threads=1))
import keras, numpy
keras.utils.set_random_seed(0)
layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(10)]
model = keras.Sequential([keras.Input((12, 12, 1)), *layers, keras.layers.Softmax()])
model.compile("adam", "sparse_categorical_crossentropy")
images = numpy.random.default_rng(0).random((64, 12, 12, 1), dtype="float32")
model.fit(images, numpy.arange(64) % 10, epochs=2, verbose=0, shuffle=False)
print(model.predict(images, verbose=0).tobytes().hex())
"""


@pytest.mark.slow
def test_a_process_with_hostile_variables_computes_the_same_bits() -> None:
    others = {name: value for name, value in os.environ.items() if name not in HOSTILE}
    xla = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true", "OMP_NUM_THREADS": "7"}
    environments = (others, others | HOSTILE | xla)
    command = [sys.executable, "-c", COMPUTE]
    outputs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for environment in environments
    ]
    assert outputs[0]
    assert outputs[1] == outputs[0]
