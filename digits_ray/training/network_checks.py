"""What a user's own network must do before a run trains it, checked in the process that probes it."""

import keras
import numpy as np

from digits_ray.config import OwnNetwork, Recipe
from digits_ray.data import channels_of
from digits_ray.ensemble.metrics import ROW_SUM_TOLERANCE
from digits_ray.training import architectures, device
from digits_ray.training.compiled import CompiledNetwork, compiled_step
from digits_ray.training.model_file import float32, load_model, model_file
from digits_ray.training.network_modules import NetworkError, find_function

__all__ = ["NetworkError", "check_network"]

ROWS = 16  # images of a batch; half of them are black, gray or white
STEPS = 100  # that the learning rate's schedule is made for; one is trained
RELOADED_TOLERANCE = 1e-4  # of a probability of the same network, compiled anew


def check_network(architecture: str, recipe: Recipe, shape: tuple[int, ...], num_classes: int) -> None:
    """Builds a network as members do, trains it for one step, saves and loads it.

    Args:
        architecture: Of the user's own, its file registered.
        recipe: That it is trained with, in a precision of its own: "float32" or "bfloat16".
        shape: Of an image: height and width in pixels, and 3 where in colour.
        num_classes: Number of classes.

    Raises:
        NetworkError: it cannot be trained, with the reason and the cure.
        Exception: whatever the user's code raises.
    """
    network = OwnNetwork.parse(architecture)
    assert network is not None
    find_function(network)  # executes its file, which may set a seed
    keras.config.set_dtype_policy(device.resolve_precision(recipe.precision))
    _check_two_builds(architecture, shape, num_classes)
    step = compiled_step(architecture, recipe, shape, num_classes, STEPS, 1)
    step.start(seed=1)
    images, labels = _batch(shape, num_classes)
    _check_probabilities(_predict(step.network, images), "")
    weights = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in step.network.trainable_variables]
    loss = step.one_batch_loss(images, labels)
    if not np.isfinite(loss):
        raise NetworkError(f"the loss of its first training step is {loss}")
    if all(map(np.array_equal, weights, map(keras.ops.convert_to_numpy, step.network.trainable_variables))):
        raise NetworkError("no weight changes in a training step. Let gradients reach the layers that are trained")
    _check_probabilities(_predict(step.network, images), " after one training step")
    _check_saved_model(step, images)


def _check_two_builds(architecture: str, shape: tuple[int, ...], num_classes: int) -> None:
    """Refuses what cannot be built again: for each member and to be saved, a network is."""
    first, second = (_built(architecture, shape, num_classes) for _ in range(2))
    if not first.trainable_variables:
        raise NetworkError("has no weights to train. Add a layer, e.g. Dense(classes, 'softmax')")
    if {id(variable) for variable in first.variables} & {id(variable) for variable in second.variables}:
        raise NetworkError("returns the same layers at every call. Make them anew within the function")
    shapes = [[variable.shape for variable in network.variables] for network in (first, second)]
    if shapes[0] != shapes[1]:
        raise NetworkError("builds another network at its second call. It must depend on its arguments alone")
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    if not all(np.array_equal(weights, others, equal_nan=True) for weights, others in pairs):
        raise NetworkError(
            "draws first weights that differ although the seed is the same. Draw them with Keras's initializers"
        )


def _built(architecture: str, shape: tuple[int, ...], num_classes: int) -> keras.Model:
    keras.utils.set_random_seed(1)
    height, width = shape[:2]
    return architectures.build(architecture, height, width, num_classes, channels_of(shape))


def _batch(shape: tuple[int, ...], num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns images (rows, *shape) uint8, plain ones among them, and labels (rows, classes) float32."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (ROWS, *shape), dtype=np.uint8)
    plain = np.linspace(0, 255, ROWS // 2).astype(np.uint8)
    images[: ROWS // 2] = plain.reshape(-1, *[1] * len(shape))
    return images, np.eye(num_classes, dtype=np.float32)[np.arange(ROWS) % num_classes]


def _predict(network: keras.Model, images: np.ndarray) -> np.ndarray:
    proba = network(images, training=False)
    if keras.backend.standardize_dtype(proba.dtype) != "float32":
        raise NetworkError(
            f"gives {keras.backend.standardize_dtype(proba.dtype)}, not float32. Give its last layer dtype='float32'"
        )
    return keras.ops.convert_to_numpy(proba)


def _check_probabilities(proba: np.ndarray, when: str) -> None:
    if not np.isfinite(proba).all():
        kinds = "NaN" if np.isnan(proba).any() else "infinite"
        raise NetworkError(f"its outputs are {kinds}{when}")
    sums = proba.sum(axis=1)
    if np.abs(sums - 1).max() > ROW_SUM_TOLERANCE:
        raise NetworkError(
            f"the outputs of an image sum to {_range(sums)}{when}, not to 1. Add a softmax:"
            " end with Dense(classes, activation='softmax')"
        )
    if proba.min() < 0:
        raise NetworkError(f"its outputs go down to {proba.min():.3g}{when}: no probabilities. Add a softmax")


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} … {high}"


def _check_saved_model(step: CompiledNetwork, images: np.ndarray) -> None:
    """Refuses what does not survive being saved and loaded, as `predict` and the report do."""
    model = step.trained_model()
    expected, again, some = (_predict(model, rows) for rows in (images, images, images[1::2]))
    if not np.allclose(expected, again, atol=RELOADED_TOLERANCE):
        raise NetworkError(
            "predicts the same images otherwise at each call. Let no layer draw at random outside of training"
        )
    if not np.allclose(expected[1::2], some, atol=RELOADED_TOLERANCE):
        raise NetworkError(
            "predicts an image otherwise with other images beside it. Let nothing be computed over the axis of images"
        )
    try:
        loaded = load_model(model_file(model))
    except (TypeError, ValueError, NotImplementedError, KeyError, AttributeError) as error:
        raise NetworkError(_saving_fault(error)) from error
    with float32():
        difference = np.abs(_predict(loaded, images) - expected).max()
    if not difference < RELOADED_TOLERANCE:
        raise NetworkError(
            f"predicts otherwise once it was saved and loaded (by up to {difference:.2g}). A layer of its own has to"
            " return all arguments of its __init__ from get_config, and to make its weights in __init__ or build"
        )


def _saving_fault(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "lambda" in text.lower():
        return (
            "has a layer of a Python lambda, which cannot be loaded safely. Write it with keras.ops, or as a class"
            " derived from keras.layers.Layer"
        )
    if isinstance(error, NotImplementedError):
        return (
            "has a class that cannot be saved. Give it a get_config that returns the arguments of its __init__"
            f" ({text.partition(', and therefore')[0]})"
        )
    short = text.partition(" Full object config")[0].partition("config=")[0][:300].rstrip(" .")
    return f"cannot be saved and loaded ({type(error).__name__}: {short})"
