"""The fused affine resample."""

import numpy as np
import pytest
from scipy import ndimage

from digits_ray.training.augmentation import RandomAffine

SIDE = 21


def blob(row: int, column: int) -> np.ndarray:
    """One image (1, side, side) uint8 with a bright smooth spot."""
    y, x = np.mgrid[:SIDE, :SIDE]
    spot = 250 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    return spot.astype(np.uint8)[None]


def centres(images: np.ndarray) -> np.ndarray:
    """Centres of mass (batch, 2) as row, column."""
    return np.array([ndimage.center_of_mass(image) for image in images[..., 0]])


def distorted(image: np.ndarray, count: int = 400, **most: float) -> np.ndarray:
    layer = RandomAffine(**{"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "seed": 3, **most})
    return np.array(layer(np.repeat(image, count, axis=0), training=True))


def test_outside_of_training_pixels_are_only_scaled() -> None:
    image = blob(8, 12)
    plain = np.array(RandomAffine(90, 0.5, 0.5, seed=0)(image, training=False))
    assert plain.shape == (1, SIDE, SIDE, 1)
    assert np.array_equal(plain[..., 0], image.astype(np.float32) / 255)


def test_without_distortion_training_changes_nothing() -> None:
    image = blob(8, 12)
    assert np.array_equal(distorted(image, count=1)[..., 0], image.astype(np.float32) / 255)


def test_rotation_turns_about_the_centre_up_to_its_limit() -> None:
    middle, radius = (SIDE - 1) / 2, 6
    found = centres(distorted(blob(10, 10 + radius), rotation=30.0)) - middle
    angles = np.degrees(np.arctan2(found[:, 0], found[:, 1]))
    assert np.hypot(*found.T) == pytest.approx(radius, abs=0.25)
    assert 27 < angles.max() < 31
    assert -31 < angles.min() < -27


def test_shift_reaches_its_part_of_the_side_on_both_axes() -> None:
    found = centres(distorted(blob(10, 10), shift=0.2)) - 10
    assert np.abs(found).max(axis=0) == pytest.approx([0.2 * SIDE] * 2, rel=0.06)
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.15


def test_zoom_scales_about_the_centre() -> None:
    found = centres(distorted(blob(10, 14), zoom=0.2)) - 10
    assert found[:, 1].min() == pytest.approx(4 / 1.2, abs=0.15)
    assert found[:, 1].max() == pytest.approx(4 / 0.8, abs=0.2)
    assert np.abs(found[:, 0]).max() < 0.1


def test_beyond_the_border_there_is_background() -> None:
    white = np.full((1, SIDE, SIDE), 255, np.uint8)
    moved = distorted(white, count=200, shift=0.3)
    assert moved.min() == 0
    assert moved.max() <= 1


def test_every_image_and_every_batch_is_drawn_anew_and_a_seed_repeats_them() -> None:
    layer, again = RandomAffine(10, 0.1, 0.1, seed=5), RandomAffine(10, 0.1, 0.1, seed=5)
    batch = np.repeat(blob(8, 12), 2, axis=0)
    first, second = np.array(layer(batch, training=True)), np.array(layer(batch, training=True))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, second)
    assert np.array_equal(np.array(again(batch, training=True)), first)


def test_all_channels_of_an_image_are_distorted_alike_by_the_draws_of_a_grey_one() -> None:
    batch = np.concatenate([blob(8, 12), blob(5, 5)])
    most = {"rotation": 20.0, "zoom": 0.2, "shift": 0.1, "seed": 5}
    grey = np.array(RandomAffine(**most)(batch, training=True))
    colour = np.array(RandomAffine(**most)(np.stack([batch, batch // 2, batch], axis=-1), training=True))
    assert colour.shape == (2, SIDE, SIDE, 3)
    assert np.array_equal(colour[..., 0], grey[..., 0])
    assert np.array_equal(colour[..., 2], grey[..., 0])
    assert np.array_equal(colour[..., 1], np.array(RandomAffine(**most)(batch // 2, training=True))[..., 0])


def test_the_layer_can_be_rebuilt_from_its_configuration() -> None:
    config = RandomAffine(10, 0.1, 0.2, seed=5).get_config()
    assert RandomAffine.from_config(config).get_config() == config
