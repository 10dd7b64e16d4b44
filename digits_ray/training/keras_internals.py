"""What digits_ray uses of Keras that Keras does not promise to keep: a minor release may rename it.

Each function says what it is for, and does without where Keras no longer has it. A unit test names every attribute.
"""

from collections.abc import Iterator
from typing import Any


def set_home(folder: str) -> None:
    """Tells Keras where the user's own data sets lie, after it was imported without their folder.

    Unknown, `keras.datasets` downloads them anew in a process that has run a member.
    """
    try:
        from keras.src.backend import config
    except ImportError:
        return
    config._KERAS_DIR = folder


def sublayers(layer: Any) -> list[Any]:
    """Returns the layers right within a layer, in their order; a layer that is no model has no public list of them.

    Unknown, the layers of models alone are found: shown in the report, and fitted to a short training.
    """
    return list(getattr(layer, "_layers", getattr(layer, "layers", [])))


def all_sublayers(layer: Any) -> Iterator[Any]:
    """Yields the layers within a layer, at any depth."""
    for inner in sublayers(layer):
        yield inner
        yield from all_sublayers(inner)
