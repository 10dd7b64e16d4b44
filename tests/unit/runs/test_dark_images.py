"""Images that are nearly black, whose white is perhaps another one than 255."""

from dataclasses import replace

import numpy as np
import pytest

from digits_ray.config import load_config
from digits_ray.data import load_arrays
from digits_ray.runs.inputs import check_inputs


@pytest.mark.parametrize(
    ("brightest", "notes"),
    [(16, ("no pixel is above 16 of 255. If 16 is white, multiply the images by 255/16",)), (255, ()), (0, ())],
)
def test_images_without_a_bright_pixel_are_noted(brightest: int, notes: tuple[str, ...]) -> None:
    images = np.zeros((40, 28, 28), np.uint8)
    images[0, 0, 0] = brightest
    data = replace(load_arrays((images, np.arange(40) % 2), None), notes=())
    config = load_config("fast", flags={"baselines.enabled": False}, arrays=True)
    assert check_inputs(config, data, np.zeros(40, np.int16), with_members=False).data.notes == notes
