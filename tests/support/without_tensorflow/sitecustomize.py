"""Makes TensorFlow look uninstalled, package and metadata, to every process that has this folder on its path."""

import importlib.metadata
import sys

sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as `import` and `find_spec` see what is missing
_distribution = importlib.metadata.distribution


def _installed(name: str) -> importlib.metadata.Distribution:
    if name == "tensorflow":
        raise importlib.metadata.PackageNotFoundError(name)
    return _distribution(name)


importlib.metadata.distribution = _installed
