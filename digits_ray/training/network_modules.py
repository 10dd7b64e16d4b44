"""The files of users' own networks as modules: executed once a process, in no folder of the user's."""

import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import keras

from digits_ray.config import OwnNetwork
from digits_ray.errors import nearest
from digits_ray.training.network_files import KEY_LENGTH, NetworkFile, registered_network

_MODULE_PREFIX = "digits_ray_network_"
_MODEL_NAME = re.compile(rf"network_([0-9a-f]{{{KEY_LENGTH}}})_(\w+)")


class NetworkError(ValueError):
    """A user's function builds no network that can be trained. One line, with the cure."""


def key_of(network: OwnNetwork) -> str:
    """Returns what a network's file is registered by."""
    return network.sha256[:KEY_LENGTH]


def model_name(network: OwnNetwork) -> str:
    """Returns the name of the model that is built of a network; it says which file and function that was."""
    return f"network_{key_of(network)}_{network.function}"


def network_of_model(name: str) -> OwnNetwork | None:
    """Returns which network a model of this name was built of; None where it is a built-in one, or its file unknown."""
    match = _MODEL_NAME.fullmatch(name)
    file = registered_network(match[1]) if match else None
    return OwnNetwork(file.path, match[2], file.sha256) if match and file else None


def find_function(network: OwnNetwork) -> Callable[..., Any]:
    """Returns the function of a registered file, which is executed where it was not yet.

    Raises:
        NetworkError: there is no such function.
        Exception: whatever the file raises.
    """
    module = load_module(key_of(network))
    function = getattr(module, network.function, None)
    if function is None:
        own = [name for name, value in vars(module).items() if _is_defined_in(module, value)]
        cure = nearest(network.function, own) if own else "The file defines none"
        raise NetworkError(f"there is no function {network.function!r}. {cure.rstrip('.')}")
    if not callable(function) or isinstance(function, keras.layers.Layer):
        raise NetworkError(f"{network.function!r} is no function, but {kind_of(function)}")
    return function


def first_line(network: OwnNetwork) -> int | None:
    """Returns the line where a network's function begins; None where there is none, or its file was not executed."""
    module = sys.modules.get(_MODULE_PREFIX + key_of(network))
    function = getattr(module, network.function, None)
    try:
        return inspect.getsourcelines(function)[1] if function else None
    except (TypeError, OSError):
        return None


@cache
def load_module(key: str) -> ModuleType:
    """Returns the module that a registered file makes.

    Its folder is not searched for what it imports: a single file travels to the nodes.
    """
    file = registered_network(key)
    if file is None:
        raise NetworkError("the network's file was not given to this process")
    module = ModuleType(_MODULE_PREFIX + key)
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # where dataclasses, among others, look it up
    _show_source_in_tracebacks(file)
    with unchanged_keras_settings():
        exec(compile(file.source, file.path, "exec", dont_inherit=True), vars(module))
    return module


@contextmanager
def own_objects_of(model_config: str) -> Iterator[None]:
    """Lets Keras find the layers and functions of the files that were given and that a model, or its parts, need.

    Args:
        model_config: The config.json of its archive.
    """
    modules = [load_module(key) for key in registered_keys(model_config)]
    own = [value for module in modules for value in vars(module).values() if _is_defined_in(module, value)]
    names = {name: value for value in own for name in (value.__name__, keras.saving.get_registered_name(value))}
    with keras.saving.custom_object_scope(names):
        yield


def registered_keys(model_config: str) -> list[str]:
    """Returns which of the files that were given a model, or its parts, were built by."""
    keys = dict.fromkeys(key for key, _ in _MODEL_NAME.findall(model_config))
    return [key for key in keys if registered_network(key)]


@contextmanager
def unchanged_keras_settings() -> Iterator[None]:
    """Whatever a user's code sets for all of Keras is afterwards as it was before."""
    settings = [
        (getattr(keras.config, f"set_{name}"), getattr(keras.config, name)())
        for name in ("dtype_policy", "floatx", "epsilon", "image_data_format")
    ]
    try:
        yield
    finally:
        for restore, value in settings:
            restore(value)


def kind_of(value: Any) -> str:
    """Returns what a value is, for messages: "None", "a class", "a value of type numpy.ndarray"."""
    if value is None:
        return "None"
    module, name = type(value).__module__, type(value).__name__
    kind = name if module == "builtins" or module.startswith(_MODULE_PREFIX) else f"{module}.{name}"
    return "a class" if inspect.isclass(value) else f"a value of type {kind}"


def _is_defined_in(module: ModuleType, value: Any) -> bool:
    is_code = inspect.isclass(value) or inspect.isfunction(value)
    return is_code and value.__module__ == module.__name__


def _show_source_in_tracebacks(file: NetworkFile) -> None:
    lines = file.source.decode("utf8", errors="replace").splitlines(keepends=True)
    linecache.cache[file.path] = (len(file.source), None, lines, file.path)
