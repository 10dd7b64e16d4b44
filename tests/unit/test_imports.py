"""Imports go downward only: what a room may not know, it does not load."""

import subprocess
import sys

import pytest

CASES = [
    ("digits_ray", ("ray", "tensorflow", "keras", "sklearn", "pandas", "pydantic", "numpy")),
    ("digits_ray.cli.commands", ("ray", "tensorflow", "keras", "sklearn", "pandas", "pydantic", "numpy", "rich")),
    ("digits_ray.config", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.ensemble", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.scheduling.resources", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.doctor.node_reports", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.doctor.checks", ("ray", "tensorflow", "keras")),
    ("digits_ray.runs.pipeline", ("ray", "tensorflow", "keras")),
    ("digits_ray.scheduling.planner", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.runs.status", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.cli.terminal.output", ("ray", "tensorflow", "keras")),
    ("digits_ray.scheduling.trainer", ("tensorflow", "keras")),
]


@pytest.mark.parametrize(("room", "foreign"), CASES, ids=[room for room, _ in CASES])
def test_a_room_loads_nothing_that_it_must_not_know(room: str, foreign: tuple[str, ...]) -> None:
    code = f"import sys, {room}; print(*sorted(set(sys.modules) & set({foreign!r})))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_importing_the_package_leaves_no_trace() -> None:
    code = (
        "import logging, os; before = dict(os.environ);"
        "import digits_ray.runs.pipeline, digits_ray.cli.terminal.output;"
        "assert dict(os.environ) == before; assert not logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_functions_stay_callable_after_every_module_is_imported() -> None:
    """A package of a function's name would replace it in `digits_ray` when it is imported."""
    code = (
        "import importlib, pkgutil, digits_ray\n"
        "for module in pkgutil.walk_packages(digits_ray.__path__, 'digits_ray.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert callable(digits_ray.run) and callable(digits_ray.load_run)\n"
        "assert digits_ray.run is digits_ray.runs.pipeline.run\n"
        "assert digits_ray.RunCallback is digits_ray.runs.callbacks.RunCallback\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_member_s_process_loads_no_library_that_keras_merely_wraps(backend: str) -> None:
    code = (
        "import sys; from digits_ray.training import device;"
        f"device.claim(device.DeviceResources(1, backend={backend!r}));"
        "import keras; print(keras.backend.backend(), *({'sklearn', 'matplotlib'} & set(sys.modules)));"
        "import sklearn.svm, matplotlib.figure, jax"  # what was hidden can be had afterwards
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == [backend]
