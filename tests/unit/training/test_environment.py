"""Variables of other programs reach no numerical library of a member's process."""

import pytest

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
}  # fmt: skip
HARMLESS = {
    "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "JAX_COMPILATION_CACHE_DIR": "/c",
    "CUDA_VISIBLE_DEVICES": "1", "KERAS_HOME": "/k", "RAY_JOB_ID": "1", "PATH": "/bin", "SLURM_CPUS_PER_TASK": "4",
}  # fmt: skip


def test_what_changes_numbers_is_removed_and_everything_else_stays() -> None:
    environment = HOSTILE | HARMLESS | {"OMP_NUM_THREADS": "7"}
    clean_environment(environment, threads=2)
    assert environment == HARMLESS | {"OMP_NUM_THREADS": "2"}


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
