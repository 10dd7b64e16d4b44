"""Moving averages in a training of few steps: what they start from must have left them when it ends."""

from collections.abc import Iterator
from functools import partial

import keras
import pytest
from factories import rows_of, spec_of

from digits_ray.config import Recipe
from digits_ray.training import fit, network_files
from digits_ray.training.compiled import CompiledNetwork, compiled_step
from digits_ray.training.keras_internals import all_sublayers
from digits_ray.training.network_files import NetworkFile, register_networks

NORMALISED = b"""
import keras
from keras import layers


def build(height, width, channels, classes):
    return [
        keras.Sequential([layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()]),
        layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ]
"""


@pytest.fixture
def normalised() -> Iterator[str]:
    """An architecture with batch normalisation in a part of it."""
    file = NetworkFile("nets.py", NORMALISED)
    register_networks([file])
    yield f"nets.py:build@{file.sha256}"
    network_files._registered.clear()


def test_a_member_of_few_steps_learns_with_both_averages(normalised: str) -> None:
    rows = rows_of(labelled=300, held_out=60)
    spec = spec_of(architecture=normalised, epochs=4, learning_rate=1e-2, schedule="one_cycle", ema=0.999)
    result = fit.fit_member(spec, rows)
    right = result.prediction.holdout_proba.argmax(1) == rows.labels[rows.holdout_index(0)]
    assert right.mean() > 0.9


@pytest.mark.parametrize(
    ("steps", "of_weights", "of_statistics"),
    [(5000, 0.999, 0.99), (1000, 0.995, 0.99), (100, 0.951, 0.905), (1, 0.0067, 0.000045)],
)
def test_momentums_are_those_of_recipe_and_layer_but_in_short_trainings(
    normalised: str, steps: int, of_weights: float, of_statistics: float
) -> None:
    step: partial[CompiledNetwork] = partial(compiled_step, normalised, Recipe(ema=0.999), (8, 8), 10)
    network = step(steps_per_epoch=steps, epochs=1).network
    (normalisation,) = [layer for layer in all_sublayers(network) if isinstance(layer, keras.layers.BatchNormalization)]
    assert network.optimizer.ema_momentum == pytest.approx(of_weights, rel=1e-2)
    assert normalisation.momentum == pytest.approx(of_statistics, rel=1e-2)
    assert (steps >= 5000) == (network.optimizer.ema_momentum == 0.999)
    assert (steps >= 1000) == (normalisation.momentum == 0.99)
