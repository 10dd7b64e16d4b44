"""Which variables of a process's environment reach the numerical libraries: none that changes a result."""

from collections.abc import MutableMapping

# What TensorFlow, Keras, JAX, XLA, oneDNN, MKL, OpenBLAS, NumPy, scikit-learn and CUDA read from the environment begins
# so: threads, precision, kernels, memory layouts, devices, ends of a fit.
_PREFIXES = (
    "TF_", "KERAS_", "JAX_", "XLA_", "ONEDNN_", "DNNL_", "MKL_", "OPENBLAS_", "BLIS_", "OMP_", "KMP_", "GOMP_", "GOTO_",
    "NPY_", "NUMPY_", "SCIPY_", "SKLEARN_", "JOBLIB_", "LOKY_", "NVIDIA_TF32_", "CUBLAS_", "CUBLASLT_", "CUDNN_",
)  # fmt: skip
_HARMLESS_PREFIXES = (
    "TF_CPP_",  # what TensorFlow prints
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "XLA_PYTHON_CLIENT_", "XLA_CLIENT_MEM_FRACTION",  # GPU memory
    "JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE", "JAX_ENABLE_COMPILATION_CACHE",  # where programs are stored
    "JAX_LOGGING_LEVEL", "JAX_LOG_", "JAX_TRACEBACK_FILTERING",
    "KERAS_HOME",  # its keras.json is overruled; data sets lie there
)  # fmt: skip
_HARMLESS_XLA_FLAGS = ("--xla_gpu_cuda_data_dir", "--xla_dump_")  # where CUDA is, and where programs are written to


def clean_environment(environment: MutableMapping[str, str], threads: int | None = None) -> None:
    """Removes the variables by which other programs' settings would change what this process computes.

    To be called before the libraries are imported, most of which read them once.

    Args:
        environment: Of the process; changed.
        threads: Of pools that take their size from the environment; None: as many as they find CPUs.
    """
    paths = [flag for flag in environment.get("XLA_FLAGS", "").split() if flag.startswith(_HARMLESS_XLA_FLAGS)]
    for name in [name for name in environment if changes_results(name)]:
        del environment[name]
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    if paths:
        environment["XLA_FLAGS"] = " ".join(paths)


def changes_results(variable: str) -> bool:
    """Returns whether a variable of this name may change what a numerical library computes."""
    return variable.startswith(_PREFIXES) and not variable.startswith(_HARMLESS_PREFIXES)
