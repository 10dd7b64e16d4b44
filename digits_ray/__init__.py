"""Ensembles of CNNs on labelled small images, trained by Ray actors: from a laptop to a GPU cluster.

from digits_ray import Config, load_run, run

result = run(Config(out="runs/first"))
labels = load_run("runs/first").predict(images)  # images (rows, height, width) uint8
"""

from typing import TYPE_CHECKING, Any

from digits_ray.errors import RunError, UserError

if TYPE_CHECKING:
    from digits_ray.config import Config
    from digits_ray.pipeline import run
    from digits_ray.runs import Run, load_run

__version__ = "0.1.0"
__all__ = ["Config", "Run", "RunError", "UserError", "load_run", "run"]

_LATER = {
    "Config": "digits_ray.config",
    "Run": "digits_ray.runs",
    "load_run": "digits_ray.runs",
    "run": "digits_ray.pipeline",
}


def __getattr__(name: str) -> Any:
    """Loads what needs more than a moment to import when it is first asked for (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module 'digits_ray' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
