"""Makes TensorFlow look uninstalled, package and metadata, to every process that has this folder on its path."""

import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _WithoutTensorflow(PathFinder):
    """Finds everything else. An entry of None in sys.modules would not do: Keras looks whether there is one."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if name == "tensorflow" else super().find_spec(name, path, target)


def _distribution(name: str) -> importlib.metadata.Distribution:
    if name == "tensorflow":
        raise importlib.metadata.PackageNotFoundError(name)
    return importlib.metadata.Distribution.from_name(name)


sys.meta_path[sys.meta_path.index(PathFinder)] = _WithoutTensorflow
importlib.metadata.distribution = _distribution
