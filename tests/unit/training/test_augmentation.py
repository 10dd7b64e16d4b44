"""The fused affine resample."""

from typing import Any

import keras
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


def distorted(image: np.ndarray, count: int = 400, **most: Any) -> np.ndarray:
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


def test_shear_slides_rows_sideways_as_far_as_they_lie_from_the_centre_up_to_its_angle() -> None:
    above, below = (centres(distorted(blob(row, 10), shear=20.0)) - 10 for row in (4, 16))
    assert above[:, 0] == pytest.approx(-6, abs=0.1)
    assert below[:, 0] == pytest.approx(6, abs=0.1)
    assert np.abs(above[:, 1]).max() == pytest.approx(6 * np.tan(np.radians(20)), rel=0.1)
    assert above[:, 1] == pytest.approx(-below[:, 1], abs=0.1)
    assert np.mean(above[:, 1] < 0) == pytest.approx(0.5, abs=0.1)


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


def resampled_as_0_1_0_did(images: np.ndarray, draws: Any) -> np.ndarray:
    """The resample of 10°, 0.1 and 0.1 as release 0.1.0 wrote it, from its five draws an image."""
    ops = keras.ops
    pixels = ops.expand_dims(ops.cast(images, "float32") / 255.0, -1)
    angle = draws[0] * np.radians(10)
    zoom_x, zoom_y = 1 + 0.1 * draws[1], 1 + 0.1 * draws[2]
    cos, sin = ops.cos(angle), ops.sin(angle)
    a0, a1, b0, b1 = cos * zoom_x, -sin * zoom_y, sin * zoom_x, cos * zoom_y
    centre = (SIDE - 1) / 2
    a2 = centre - a0 * centre - a1 * centre + 0.1 * SIDE * draws[3]
    b2 = centre - b0 * centre - b1 * centre + 0.1 * SIDE * draws[4]
    zeros = ops.zeros_like(a0)
    transform = ops.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)
    return np.array(ops.image.affine_transform(pixels, transform, interpolation="bilinear", fill_mode="constant"))


def test_without_flip_and_shear_every_batch_has_the_bits_that_it_had_before_there_were_any() -> None:
    layer, random = RandomAffine(10, 0.1, 0.1, seed=5), keras.random.SeedGenerator(5)
    batch = np.repeat(blob(8, 12), 7, axis=0)
    for _ in range(2):
        draws = keras.random.uniform((5, 7), -1.0, 1.0, seed=random)
        before = resampled_as_0_1_0_did(batch, draws)
        assert np.array_equal(np.array(layer(batch, training=True)), before)
    assert np.array_equal(np.array(layer.random.state), np.array(random.state))


@pytest.mark.parametrize("flip", ["horizontal", "vertical", "both"])
def test_a_flip_alone_mirrors_every_pixel_exactly_and_every_other_time(flip: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 5, 8), dtype=np.uint8)
    images = (255 * distorted(image, flip=flip)[..., 0]).round().astype(np.uint8)
    mirrored = {"horizontal": [(2,)], "vertical": [(1,)], "both": [(1,), (2,), (1, 2)]}[flip]
    expected = [image, *(np.flip(image, axis) for axis in mirrored)]
    counts = [int((images == one).all(axis=(1, 2)).sum()) for one in expected]
    assert sum(counts) == 400
    assert min(counts) > 0.8 * 400 / len(expected)


def test_a_sheared_image_is_also_zoomed_turned_and_shifted_by_the_five_draws_of_any_other() -> None:
    layer, random = RandomAffine(30, 0.2, 0.1, seed=5, shear=20.0), keras.random.SeedGenerator(5)
    angle, zoom_x, zoom_y, shift_x, shift_y = np.array(keras.random.uniform((5, 4), -1.0, 1.0, seed=random))
    (slant,) = np.array(keras.random.uniform((1, 4), -1.0, 1.0, seed=random))
    to_centre = np.array([[1, 0, -(SIDE - 1) / 2], [0, 1, -(SIDE - 1) / 2], [0, 0, 1]])
    transforms = np.array(layer._transform(4, SIDE, SIDE))
    for image in range(4):
        cos, sin = np.cos(np.radians(30) * angle[image]), np.sin(np.radians(30) * angle[image])
        turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        zoomed = np.diag([1 + 0.2 * zoom_x[image], 1 + 0.2 * zoom_y[image], 1])
        sheared = np.array([[1, np.tan(np.radians(20) * slant[image]), 0], [0, 1, 0], [0, 0, 1]])
        shifted = np.array([[1, 0, 0.1 * SIDE * shift_x[image]], [0, 1, 0.1 * SIDE * shift_y[image]], [0, 0, 1]])
        expected = shifted @ np.linalg.inv(to_centre) @ turned @ zoomed @ sheared @ to_centre
        assert transforms[image, :6].reshape(2, 3) == pytest.approx(expected[:2], abs=1e-4)


def test_a_flipped_image_is_distorted_as_any_other() -> None:
    found = centres(distorted(blob(10, 16), flip="horizontal", shift=0.1)) - 10
    left = found[:, 1] < 0
    assert 150 < left.sum() < 250
    assert found[left, 1].mean() == pytest.approx(-6, abs=0.3)
    assert np.abs(found[left, 1] + 6).max() == pytest.approx(0.1 * SIDE, rel=0.1)
    assert found[~left, 1].mean() == pytest.approx(6, abs=0.3)


def test_on_jax_planes_are_resampled_as_keras_does_it() -> None:
    jax_affine = pytest.importorskip("digits_ray.training.jax_affine", exc_type=ImportError)
    images = np.random.default_rng(0).random((6, SIDE, SIDE + 2, 3), np.float32)
    layer = RandomAffine(rotation=40.0, zoom=0.3, shift=0.3, shear=20.0, seed=5)
    transforms = np.array(layer._transform(6, SIDE, SIDE + 2))
    expected = keras.ops.image.affine_transform(images, transforms, interpolation="bilinear", fill_mode="constant")
    assert np.allclose(jax_affine.affine_transform(images, transforms), np.array(expected), atol=2e-5)


def test_the_layer_can_be_rebuilt_from_its_configuration() -> None:
    config = RandomAffine(10, 0.1, 0.2, seed=5, flip="both", shear=7.0).get_config()
    assert (config["flip"], config["shear"]) == ("both", 7.0)
    assert RandomAffine.from_config(config).get_config() == config
