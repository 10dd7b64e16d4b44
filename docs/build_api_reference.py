"""Writes the reference of the Python interface, from its docstrings, as HTML: `python -m docs.build_api_reference`.

Whatever pdoc warns of ends it. Nothing is fetched.
"""

import sys
import warnings
from dataclasses import is_dataclass
from html import escape
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pdoc

from docs.generate_configuration import field_comments

PACKAGES = ["digits_ray", "digits_ray.config"]
FOLDER = Path("build/api")
_ANY_SETTING = Signature([Parameter("self", Parameter.POSITIONAL_ONLY), Parameter("settings", Parameter.VAR_KEYWORD)])


def build(folder: Path) -> None:
    """Writes a page for each package, `index.html` and what the search needs.

    Args:
        folder: Where; it need not exist.
    """
    pdoc.render.configure(docformat="google")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what pdoc warns of
        for package in map(import_module, PACKAGES):
            _import_lazy_names(package)
            _describe_settings(package)
        pdoc.pdoc(*PACKAGES, output_directory=folder)


def _import_lazy_names(package: ModuleType) -> None:
    """Puts what the package exports into it: pdoc does not ask for what is imported at its first use."""
    vars(package).update({name: getattr(package, name) for name in package.__all__})


def _describe_settings(package: ModuleType) -> None:
    """Shows each setting with its comment and its type alone, without Pydantic's limits, and once.

    The limits are in docs/configuration.md. The constructor of a Pydantic class would repeat all settings.
    """
    for group in vars(package).values():
        if is_dataclass(group) and hasattr(group, "__pydantic_config__"):
            group.__annotations__.update(get_type_hints(group))
            group.__init__.__signature__ = _ANY_SETTING
            texts = {name: escape(comment) for name, comment in field_comments(group).items()}
            pdoc.doc_ast.walk_tree(group).var_docstrings.update(texts)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    build(folder)
    print(folder / "index.html")
