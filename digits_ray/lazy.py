"""Packages whose names are imported at their first use: importing Ray, TensorFlow and matplotlib lasts seconds."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(package: str, names: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], list[str]]:
    """Returns a package's `__getattr__` (PEP 562) and `__all__`, and gives it a `__dir__` that names both.

    Args:
        package: Its `__name__`.
        names: What it exports, by the module that defines it, relative to the package.
    """
    module_of = {name: f"{package}.{module}" for module, exported in names.items() for name in exported}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    attributes = vars(sys.modules[package])
    attributes["__dir__"] = lambda: sorted({*attributes, *module_of})  # for completion in a notebook
    return get, sorted(module_of)
