"""Packages that import lazily export what type checkers see, and nothing that is not there."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import digits_ray
from digits_ray.lazy import lazy_exports

ROOT = Path(digits_ray.__file__).parent
INITS = sorted(path for path in ROOT.rglob("__init__.py") if "lazy_exports(" in path.read_text())
PACKAGES = [".".join(("digits_ray", *path.parent.relative_to(ROOT).parts)) for path in INITS]


def typed_imports(tree: ast.Module) -> dict[str, str]:
    """The module of each name that is imported below `if TYPE_CHECKING`."""
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    assert all(isinstance(node, ast.ImportFrom) for node in block.body)
    return {alias.name: str(node.module) for node in block.body for alias in node.names}  # type: ignore[attr-defined]


def lazy_table(tree: ast.Module, package: str) -> dict[str, str]:
    """The module of each name in the table that `lazy_exports` gets."""
    (call,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_exports"
    ]
    table = ast.literal_eval(call.args[1])
    return {name: f"{package}.{module}" for module, names in table.items() for name in names}


def test_the_packages_are_found() -> None:
    assert {"digits_ray", "digits_ray.runs", "digits_ray.training", "digits_ray.cli.terminal"} <= set(PACKAGES)


@pytest.mark.parametrize(("package", "path"), zip(PACKAGES, INITS, strict=True), ids=PACKAGES)
def test_type_checkers_see_what_is_exported(package: str, path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert typed_imports(tree) == lazy_table(tree, package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_resolves(package: str) -> None:
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), f"{package}.{name}: a module hides it"


def test_an_unknown_name_is_an_attribute_error() -> None:
    get, names = lazy_exports("digits_ray", {"errors": ["UserError"]})
    assert names == ["UserError"]
    with pytest.raises(AttributeError, match=r"module 'digits_ray' has no attribute 'user_error'"):
        get("user_error")


def test_what_is_not_loaded_yet_is_listed_too() -> None:
    code = "import digits_ray, sys; print({'run', '__version__'} <= set(dir(digits_ray)), 'ray' in sys.modules)"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert listed == ["True", "False"]
