"""Drawings and pictures are brought into the form that the training images have, which is measured on them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_digits import DIGITS

from digits_ray.data import DrawingForm, image_of_picture, image_of_strokes, measure_form

MNIST = DrawingForm(28, 28, True, (0.0,), (255.0,), "longest side", (20.0, 20.0), "mass", (14.0, 14.0), 2.5, 1.0)
OTHER = DrawingForm(24, 32, True, (255.0,), (10.0,), "longest side", (24.0, 24.0), "box", (12.0, 16.0), 4.0, 3.0)


def drawn(form: DrawingForm) -> np.ndarray:
    """All digits in a form, (10, height, width[, 3]) uint8."""
    return np.stack([image_of_strokes(strokes, form) for strokes in DIGITS.values()])


def inked_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of what has half of the ink or more."""
    rows, columns = np.nonzero(image >= 128)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


# What is measured


@pytest.mark.parametrize("form", [MNIST, OTHER], ids=["MNIST", "dark on light"])
def test_the_form_of_drawings_is_measured_as_they_were_drawn(form: DrawingForm) -> None:
    measured = measure_form(drawn(form))
    assert (measured.height, measured.width, measured.is_drawing) == (form.height, form.width, True)
    assert (measured.fitted, measured.centred) == (form.fitted, form.centred)
    assert measured.background == form.background
    assert measured.ink == pytest.approx(form.ink, abs=15)
    assert measured.box == pytest.approx(form.box, abs=1)
    assert measured.centre == pytest.approx(form.centre, abs=0.5)
    assert measured.stroke == pytest.approx(form.stroke, rel=0.2)


def test_soft_strokes_are_told_from_sharp_ones() -> None:
    assert measure_form(drawn(replace(MNIST, edge=2.4))).edge > measure_form(drawn(MNIST)).edge + 0.5


def test_ink_and_ground_in_colour_are_measured_channel_by_channel() -> None:
    form = replace(MNIST, background=(250.0, 240.0, 200.0), ink=(20.0, 30.0, 160.0))
    measured = measure_form(drawn(form))
    assert measured.background == form.background
    assert measured.ink == pytest.approx(form.ink, abs=15)


def test_drawings_that_fill_a_box_in_both_directions_are_told_from_those_that_keep_their_aspect() -> None:
    form = replace(MNIST, fitted="both sides", box=(20.0, 16.0), centred="box")
    wide = [strokes for digit, strokes in DIGITS.items() if digit != 1]
    measured = measure_form(np.stack([image_of_strokes(strokes, form) for strokes in wide]))
    assert measured.fitted == "both sides"
    assert measured.box == pytest.approx((20, 16), abs=1)


def test_photographs_are_no_drawings() -> None:
    photographs = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    assert not measure_form(photographs).is_drawing


def test_blank_images_among_the_others_change_nothing_and_alone_are_no_error() -> None:
    blank = np.zeros((3, 28, 28), np.uint8)
    with_blank = np.concatenate([drawn(MNIST), blank])
    assert measure_form(with_blank).box == measure_form(drawn(MNIST)).box
    form = measure_form(blank)
    assert image_of_strokes(DIGITS[1], form).max() > form.background[0]


def test_the_form_survives_its_json() -> None:
    assert DrawingForm.from_json(json.loads(json.dumps(OTHER.to_json()))) == OTHER


# A drawing


@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawing_fills_the_box_and_its_centre_of_mass_is_in_the_middle(digit: int) -> None:
    image = image_of_strokes(DIGITS[digit], MNIST)
    top, bottom, left, right = inked_box(image)
    assert max(bottom - top, right - left) in (19, 20, 21)
    mass = image / image.sum()
    centre = [float((mass * (axis + 0.5)).sum()) for axis in np.indices(image.shape)]
    assert centre == pytest.approx([14, 14], abs=0.1)


def test_where_and_how_large_it_was_drawn_does_not_matter() -> None:
    moved = [[(3 + 500 * x, 80 + 500 * y) for x, y in stroke] for stroke in DIGITS[5]]
    difference = image_of_strokes(moved, MNIST).astype(int) - image_of_strokes(DIGITS[5], MNIST)
    assert np.abs(difference).max() <= 1


def test_a_dot_is_a_dot_in_the_middle() -> None:
    image = image_of_strokes([[(0.1, 0.9)]], MNIST)
    assert image[13:15, 13:15].min() > 200
    assert image.astype(int).sum() < 255 * 9


def test_a_drawing_in_colour_has_the_colours_of_the_training_images() -> None:
    form = replace(MNIST, background=(250.0, 240.0, 200.0), ink=(20.0, 30.0, 160.0))
    image = image_of_strokes(DIGITS[8], form)
    assert image.shape == (28, 28, 3)
    assert image[0, 0].tolist() == [250, 240, 200]
    assert image.min(axis=(0, 1)).tolist() == [20, 30, 160]


# A picture


def photographed(digit: int, width: int = 90, height: int = 140) -> np.ndarray:
    """A digit in dark ink on grey paper, small, in a corner of a larger picture."""
    form = replace(MNIST, height=height, width=width, box=(50.0, 50.0), centre=(100.0, 40.0), stroke=6.0)
    return (200 - image_of_strokes(DIGITS[digit], form) * 0.6).astype(np.uint8)


@pytest.mark.parametrize("digit", [0, 4, 7])
def test_a_picture_of_a_digit_becomes_what_the_drawing_becomes(digit: int) -> None:
    from_picture = image_of_picture(photographed(digit), MNIST)
    from_strokes = image_of_strokes(DIGITS[digit], MNIST)
    likeness = np.corrcoef(from_picture.ravel(), from_strokes.ravel())[0, 1]
    assert likeness > 0.9


def test_the_picture_s_own_polarity_and_colour_do_not_matter() -> None:
    dark_on_light = photographed(3)
    light_on_dark = 255 - dark_on_light
    coloured = np.stack([dark_on_light, dark_on_light, np.full_like(dark_on_light, 90)], axis=-1)
    expected = image_of_picture(dark_on_light, MNIST).astype(int)
    assert np.abs(image_of_picture(light_on_dark, MNIST) - expected).max() <= 2
    assert np.abs(image_of_picture(coloured, MNIST) - expected).max() <= 2


def test_a_blank_picture_gives_a_blank_image() -> None:
    assert image_of_picture(np.full((50, 60), 130, np.uint8), MNIST).max() == 0


def test_a_picture_of_one_pixel_is_no_error() -> None:
    assert image_of_picture(np.zeros((1, 1), np.uint8), MNIST).shape == (28, 28)


def test_a_photograph_is_scaled_and_cut_where_the_training_images_are_photographs() -> None:
    form = replace(MNIST, is_drawing=False, background=(0.0, 0.0, 0.0), ink=(255.0, 255.0, 255.0), width=14)
    picture = np.zeros((56, 100, 3), np.uint8)
    picture[:, 36:64] = (10, 200, 30)
    image = image_of_picture(picture, form)
    assert image.shape == (28, 14, 3)
    assert image[14, 7].tolist() == [10, 200, 30]
