"""The scripts behind published figures still start: what they import exists. mypy checks how they use it.

Nothing is imported here, which would take seconds: names are read from the modules' sources.
"""

import ast
from functools import cache
from pathlib import Path

import pytest
from documentation import ROOT

BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
SEARCHED = (ROOT, ROOT / "benchmarks", ROOT / "tests/support")


@pytest.mark.parametrize("script", BENCHMARKS, ids=[script.stem for script in BENCHMARKS])
def test_every_name_that_a_benchmark_imports_exists(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf8"))
    imported = [
        (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    missing = [f"{module}.{name}" for module, name in imported if sources(module) and not exists(module, name)]
    assert missing == []


def exists(module: str, name: str) -> bool:
    """A name of the module, or a module of the package."""
    return name in defined_names(sources(module)[0]) or bool(sources(f"{module}.{name}"))


def sources(module: str) -> list[Path]:
    """The module's source, where it is one of this repository's."""
    path = module.replace(".", "/")
    files = [folder / file for folder in SEARCHED for file in (f"{path}.py", f"{path}/__init__.py")]
    return [file for file in files if file.exists()]


@cache
def defined_names(source: Path) -> set[str]:
    """The names at a module's top level; a package's lazy exports are among its imports for type checkers."""
    names: set[str] = set()
    body = ast.parse(source.read_text(encoding="utf8")).body
    for node in [*body, *(inner for outer in body if isinstance(outer, ast.If) for inner in outer.body)]:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign() | ast.AnnAssign():
                names |= {target.id for target in ast.walk(node) if isinstance(target, ast.Name)}
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name for alias in node.names}
    return names
