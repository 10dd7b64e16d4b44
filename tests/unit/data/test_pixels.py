"""Pixels from numbers of any type."""

import numpy as np
import pytest

from digits_ray import UserError
from digits_ray.data import pixels_on_scale


@pytest.mark.parametrize(
    ("given", "scale", "expected"),
    [
        (np.array([0.0, 1.0]), 1, [0, 255]),  # black and white alone
        (np.array([0.0, 1.0]), 255, [0, 1]),  # nearly black alone
        (np.array([0, 1]), 1, [0, 255]),
        (np.array([0.5], np.float32), 1, [128]),
        (np.array([0.0, 255.0]), 255, [0, 255]),
        (np.array([7], np.uint8), 255, [7]),
    ],
)
def test_pixels_are_read_on_the_scale_of_the_training_images(given: np.ndarray, scale: int, expected: list) -> None:
    pixels = pixels_on_scale("X", given, scale)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == expected


@pytest.mark.parametrize(
    ("given", "scale", "message"),
    [
        (np.array([0, 16]), 1, "values from 0 to 16, but pixels of the training images were 0 to 1"),
        (np.array([0.5]), 255, "fractions up to 0.5, but pixels of the training images were whole numbers"),
        (np.array([-1]), 255, "values from -1 to -1"),
        (np.array([0.5, np.nan]), 1, "some values are NaN"),
    ],
)
def test_pixels_on_another_scale_are_refused(given: np.ndarray, scale: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pixels_on_scale("X", given, scale)
