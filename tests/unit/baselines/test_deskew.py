"""Images set upright."""

import numpy as np
import pytest

from digits_ray.baselines.deskew import deskew


def leaning_bar(lean: float, side: int = 28) -> np.ndarray:
    """A bar that leans `lean` pixels to the right per pixel down, off the middle."""
    image = np.zeros((side, side), np.uint8)
    for y in range(6, 20):
        x = 12 + lean * (y - 13)
        image[y, int(x) : int(x) + 3] = 250
    return image


@pytest.mark.parametrize("lean", [-0.6, -0.3, 0.3, 0.6])
def test_a_leaning_bar_is_set_upright_in_the_middle(lean: float) -> None:
    (upright,) = deskew(leaning_bar(lean)[None])
    y, x = np.mgrid[:28, :28]
    ink = upright.astype(float) / upright.sum()
    center_y, center_x = (ink * y).sum(), (ink * x).sum()
    assert center_y == pytest.approx(13.5, abs=0.3)
    assert center_x == pytest.approx(13.5, abs=0.3)
    slant = (ink * (x - center_x) * (y - center_y)).sum() / (ink * (y - center_y) ** 2).sum()
    assert abs(slant) < 0.1 * abs(lean)


def test_deskewing_leaves_blank_and_single_row_images_alone() -> None:
    images = np.zeros((2, 9, 9), np.uint8)
    images[1, 4] = 200
    assert np.array_equal(deskew(images), images)
    assert deskew(images[:0]).shape == (0, 9, 9)


def test_an_image_is_deskewed_alike_alone_and_in_a_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 12, 10), dtype=np.uint8)
    assert np.array_equal(deskew(images)[7:8], deskew(images[7:8]))
