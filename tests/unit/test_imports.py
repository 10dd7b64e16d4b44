"""What an import loads: no more than the package may know, and little before it is needed."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from documentation import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from digits_ray.cli.commands import cli

HEAVY = ("ray", "tensorflow", "keras", "sklearn", "pandas", "pydantic", "numpy", "rich", "yaml", "matplotlib")
CASES = [
    ("digits_ray", ("ray", "tensorflow", "keras", "sklearn", "pandas", "pydantic", "numpy")),
    ("digits_ray.cli.main", HEAVY),
    ("digits_ray.cli.commands", HEAVY),
    ("digits_ray.config", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.ensemble", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.scheduling.resources", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.doctor.node_reports", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.doctor.checks", ("ray", "tensorflow", "keras")),
    ("digits_ray.estimator.classifier", ("ray", "tensorflow", "keras")),
    ("digits_ray.runs.pipeline", ("ray", "tensorflow", "keras")),
    ("digits_ray.scheduling.planner", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.runs.status", ("ray", "tensorflow", "keras", "sklearn")),
    ("digits_ray.cli.terminal.output", ("ray", "tensorflow", "keras")),
    ("digits_ray.scheduling.trainer", ("tensorflow", "keras")),
    ("digits_ray.serving.server", ("ray", "tensorflow", "keras", "fastapi")),
    ("digits_ray.serving.served_run", ("ray", "tensorflow", "keras", "fastapi")),
    ("digits_ray.serving.requests", ("ray", "tensorflow", "keras", "fastapi")),
]


def output_of(code: str) -> str:
    """Runs code in a fresh process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("module", "foreign"), CASES, ids=[module for module, _ in CASES])
def test_a_module_loads_nothing_that_it_must_not_know(module: str, foreign: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({foreign!r})))"
    assert output_of(code).split() == []


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(cli.commands))], ids=str)
def test_help_is_printed_before_anything_heavy_is_loaded(command: list[str]) -> None:
    code = (
        "import sys; from digits_ray.cli.main import main\n"
        f"try: main([*{command!r}, '--help'])\n"
        f"except SystemExit: print('loaded:', *sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    output = output_of(code)
    assert output.startswith("Usage: digits-ray")
    assert output.endswith("loaded:\n")


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
        "assert digits_ray.run is digits_ray.interactive.run\n"
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
    assert output_of(code).split() == [backend]


def test_every_library_that_is_imported_is_declared() -> None:
    """What comes with another library alone goes when that no longer needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [needs for extra, needs in project["optional-dependencies"].items() if extra != "test"]
    declared = {canonicalize_name(Requirement(text).name) for text in sum(extras, project["dependencies"])}
    libraries = {
        library
        for library, packages in packages_distributions().items()
        if declared & {canonicalize_name(package) for package in packages}
    }
    parts = {"jaxlib", "pydantic_core"}  # of declared libraries, each with a version of its own
    known = {*libraries, *parts, *sys.stdlib_module_names, "digits_ray", "IPython"}  # the last where a notebook has it
    assert imported_libraries() - known == set()


def imported_libraries() -> set[str]:
    """The top-level names of all imports of the package, those within functions included."""
    trees = [ast.parse(file.read_text(encoding="utf8")) for file in (ROOT / "digits_ray").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in names}
