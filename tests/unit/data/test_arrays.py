"""Images and labels that are given as arrays: to train on, and to predict."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from digits_ray.config import DataConfig
from digits_ray.data import ARRAYS, images_like, load, load_arrays
from digits_ray.data.pixels import as_pixels
from digits_ray.errors import UserError

IMAGES = np.random.default_rng(0).integers(2, 254, (6, 4, 4), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(2, 254, (6, 4, 4, 3), dtype=np.uint8)
LABELS = ["b", "a", "b", "a", "b", "a"]
FRAME = pd.DataFrame(IMAGES.reshape(6, 16), columns=[f"pixel{number}" for number in range(16)])


def refusal(images: Any = IMAGES, labels: Any = LABELS, test: Any = None) -> str:
    """The message that refuses a run's arrays."""
    with pytest.raises(UserError) as caught:
        load_arrays((images, labels), test)
    return one_line(caught.value)


def one_line(error: UserError) -> str:
    message = str(error)
    assert message.isprintable()
    assert message.endswith(".")
    print(message)  # pytest -s shows every message as a user would read it
    return message


class Unreadable:
    """A tensor that no array can be made of, as one on a GPU."""

    def __array__(self, *args: object, **more: object) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


# The data of a run


def test_arrays_are_the_same_data_as_a_file_of_them(tmp_path) -> None:
    np.savez(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "test.npz", images=IMAGES[:2])
    from_files = load(DataConfig(tmp_path / "train.npz", tmp_path / "test.npz"))
    data = load_arrays((IMAGES, LABELS), IMAGES[:2])
    assert data.fingerprint() == from_files.fingerprint()
    assert data.classes == ("a", "b")
    assert data.labels.tolist() == [1, 0] * 3
    assert (data.train_source, data.test_source, data.notes) == (ARRAYS, ARRAYS, ())


@pytest.mark.parametrize(
    "images",
    [
        IMAGES[..., None],
        IMAGES.astype(np.int64),
        IMAGES.astype(np.float32),
        IMAGES.tolist(),
        [image for image in IMAGES],  # noqa: C416  # a list of arrays, not an array
        np.asfortranarray(IMAGES),
    ],
)
def test_images_of_any_type_and_layout_are_the_same_data(images: Any) -> None:
    data, expected = load_arrays((images, LABELS), images), load_arrays((IMAGES, LABELS), IMAGES)
    assert data.fingerprint() == expected.fingerprint()
    assert data.images.dtype == np.uint8
    assert data.images.flags.c_contiguous
    assert data.notes == ()


@pytest.mark.parametrize("images", [IMAGES.reshape(6, 16), FRAME, FRAME.assign(label=LABELS)])
def test_flat_images_are_taken_for_square_ones_and_told(images: Any) -> None:
    data = load_arrays((images, LABELS), None)
    assert np.array_equal(data.images, IMAGES)
    assert data.notes == ("train: 16 numbers a row were taken for 4 × 4 pixels",)


def test_fractions_from_0_to_1_are_scaled_exactly_and_told() -> None:
    for fractions in (IMAGES / 255, (IMAGES / 255).astype(np.float32)):
        data = load_arrays((fractions, LABELS), fractions[:1])
        assert np.array_equal(data.images, IMAGES)
        assert data.notes == (
            "train: pixels from 0 to 1 were multiplied by 255",
            "test: pixels from 0 to 1 were multiplied by 255",
        )


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([7, 24, 7, 24, 7, 24], np.uint8), (7, 24)),
        (np.array([[7], [24]] * 3), (7, 24)),
        ([7.0, 24.0] * 3, (7, 24)),
        (["cat", "dog"] * 3, ("cat", "dog")),
        ([False, True] * 3, ("False", "True")),
        (np.array(["cat", "dog"] * 3, dtype=object), ("cat", "dog")),
        (pd.Series(["cat", "dog"] * 3, dtype="category"), ("cat", "dog")),
        (pd.DataFrame({"label": ["01", "02"] * 3}), ("01", "02")),
    ],
)
def test_labels_are_any_strings_or_whole_numbers(labels: Any, classes: tuple) -> None:
    data = load_arrays((IMAGES, labels), None)
    assert data.classes == classes
    assert data.labels.tolist() == [0, 1] * 3


def test_colour_images_keep_their_channels() -> None:
    data = load_arrays((COLOUR, LABELS), COLOUR[:2])
    assert data.images.shape == (6, 4, 4, 3)
    assert data.fingerprint()["channels"] == 3
    assert load_arrays((IMAGES, LABELS), None).fingerprint()["channels"] == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.moveaxis(COLOUR, -1, 1),
            r"shape \(6, 3, 4, 4\) have their channels first. Give np.moveaxis\(images, -3, -1\)",
        ),
        (IMAGES[:, None], "channels first"),
        (np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1), r"a fourth channel. Leave it out: images\[..., :3\]"),
        (IMAGES[..., None, None], r"images of shape \(6, 4, 4, 1, 1\)"),
        (IMAGES.reshape(-1), "images of shape"),
        (IMAGES.reshape(6, 16)[:, :15], "15 numbers a row are no square image"),
        (IMAGES[:0], "hold nothing"),
        (IMAGES.astype(str), "of type <U3. Give numbers"),
        (IMAGES > 100, r"of type bool. Multiply them by np.uint8\(255\)"),
        (IMAGES.astype(int) + 10, "values from 12 to 256. Pixels are 0 to 255"),
        (IMAGES / 255.0 - 0.5, "values from -0"),
        (np.where(IMAGES > 9, np.nan, IMAGES), "some values are NaN. Fill them in"),
        (IMAGES / 2, r"fractions up to .* Round them: np.rint\(images\)"),
        ((IMAGES > 100).astype(float), r"floats of 0 and 1 alone: .* Give np.uint8\(255 \* images\)"),
        ([IMAGES[0], IMAGES[1][:2]], r"no array can be made of this list \(.*inhomogeneous"),
        (Unreadable(), "no array can be made of this Unreadable .can't convert cuda:0"),
        ({"images": IMAGES}, "is no array"),
        (FRAME[sorted(FRAME)], "column 'pixel2' follows 'pixel15'. Put the pixels in their order"),
    ],
)
def test_images_that_cannot_be_meant_are_refused_with_the_cure(images: Any, message: str) -> None:
    labels = LABELS if not isinstance(images, np.ndarray) else LABELS[: len(images)]
    text = refusal(images, labels)
    assert text.startswith("train: ")
    assert re.search(message, text), text


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:5], r"labels: of shape \(5,\) for 6 images"),
        (np.eye(6), r"labels: of shape \(6, 6\), not \(6,\). If they are one-hot: labels.argmax\(axis=1\)"),
        (["a"] * 6, "every image has the label 'a'"),
        (["a", None] * 3, "row 2, labels: the label is empty"),
        ([1.0, float("nan")] * 3, "row 2, labels: the label is empty"),
        ([0.5, 1] * 3, "row 1, labels: 0.5 is no label"),
        (np.array(["a", 1] * 3, dtype=object), "labels: not all of one type"),
        (None, "labels: None is no array"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused_with_the_cure(labels: Any, message: str) -> None:
    assert re.search(message, refusal(labels=labels))


def test_test_images_of_another_size_or_colour_are_refused() -> None:
    assert refusal(test=IMAGES[:, :3]) == (
        "test: images of 3 × 4 pixels, but train has 4 × 4 pixels. Use images of one size in both."
    )
    assert refusal(images=COLOUR, test=IMAGES) == (
        "test: images of 4 × 4 pixels, but train has 4 × 4 pixels, in colour. Use colour alone or grey alone; "
        "data.grayscale converts pictures."
    )


@pytest.mark.parametrize("train", [IMAGES, (IMAGES,), (IMAGES, LABELS, 1), {"images": IMAGES}])
def test_train_is_a_pair(train: Any) -> None:
    with pytest.raises(UserError, match=r"^train: a pair \(images, labels\) is expected"):
        load_arrays(train, None)


# The images of a prediction


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (IMAGES, 6),
        (IMAGES[..., None], 6),
        (IMAGES.reshape(6, 16), 6),
        (IMAGES[0], 1),
        (IMAGES[0][..., None], 1),
        (IMAGES[0].ravel(), 1),
        (IMAGES.tolist(), 6),
        (IMAGES[0].tolist(), 1),
        (IMAGES / 255, 6),
        ((IMAGES / 255).astype(np.float16), 6),
        (IMAGES.astype(np.int64), 6),
        (FRAME, 6),
        (FRAME.assign(label=LABELS), 6),
        (FRAME.assign(id=range(6))[["id", *FRAME]], 6),
        (FRAME / 255, 6),
        (FRAME.assign(ImageId=range(6), Label=LABELS), 6),
        (pa.Table.from_pandas(FRAME.assign(Label=LABELS)), 6),
    ],
)
def test_one_image_or_many_are_recognised_in_any_layout(given: Any, rows: int) -> None:
    images = images_like(given, (4, 4))
    assert images.dtype == np.uint8
    assert np.array_equal(images, IMAGES[:rows])


@pytest.mark.parametrize(
    ("given", "rows"), [(COLOUR, 6), (COLOUR[0], 1), (COLOUR.reshape(6, 48), 6), (COLOUR.tolist(), 6)]
)
def test_colour_images_are_recognised_too(given: Any, rows: int) -> None:
    assert np.array_equal(images_like(given, (4, 4, 3)), COLOUR[:rows])


@pytest.mark.parametrize(
    ("given", "shape", "message"),
    [
        (
            IMAGES[:, :3],
            (4, 4),
            "images of shape (6, 3, 4): this run was trained on 4 × 4 pixels. Resize them to 4 × 4.",
        ),
        (IMAGES[:, None], (4, 4), "Give np.moveaxis(images, -3, -1)."),
        (COLOUR, (4, 4), "Make them grey as the training images were, e.g. np.rint(images @ [0.299, 0.587, 0.114])."),
        (np.moveaxis(COLOUR, -1, 1), (4, 4), "e.g. np.rint(np.moveaxis(images, -3, -1) @ [0.299, 0.587, 0.114])."),
        (COLOUR[..., [0, 1, 2, 2]], (4, 4), "Leave out the fourth channel: images[..., :3]."),
        (COLOUR[..., [0, 1, 2, 2]], (4, 4, 3), "Leave out the fourth channel: images[..., :3]."),
        (IMAGES[None], (4, 4), "Give (rows, 4, 4), or 16 numbers a row."),
        (IMAGES[None], (4, 4, 3), "Give (rows, 4, 4, 3), or 48 numbers a row."),
        (IMAGES, (4, 4, 3), "pixels, in colour. Give them in colour: np.stack([images] * 3, axis=-1)."),
        (np.moveaxis(COLOUR, -1, 1), (4, 4, 3), "Give np.moveaxis(images, -3, -1)."),
        (IMAGES.reshape(6, 16)[:, :15], (4, 4), "Give (rows, 4, 4), or 16 numbers a row."),
        (FRAME.assign(extra=1), (4, 4), "Give (rows, 4, 4), or 16 numbers a row."),
        ((IMAGES > 9).astype(float), (4, 4), "np.uint8(images) for nearly black."),
    ],
)
def test_images_of_another_kind_are_refused_with_the_right_cure(given: Any, shape: tuple, message: str) -> None:
    with pytest.raises(UserError) as caught:
        images_like(given, shape)
    assert message in one_line(caught.value)


def test_cures_for_colour_do_what_they_say() -> None:
    assert images_like(np.rint(COLOUR @ [0.299, 0.587, 0.114]), (4, 4)).shape == (6, 4, 4)
    assert images_like(np.stack([IMAGES] * 3, axis=-1), (4, 4, 3)).shape == (6, 4, 4, 3)
    assert images_like(COLOUR[..., [0, 1, 2, 2]][..., :3], (4, 4, 3)).shape == (6, 4, 4, 3)
    first = np.moveaxis(COLOUR, -1, 1)
    assert images_like(np.rint(np.moveaxis(first, -3, -1) @ [0.299, 0.587, 0.114]), (4, 4)).shape == (6, 4, 4)
    assert np.array_equal(images_like(np.moveaxis(first, -3, -1), (4, 4, 3)), COLOUR)


def test_a_blank_image_of_floats_is_blank() -> None:
    pixels = as_pixels("images", np.zeros((4, 4)))
    assert pixels.values.dtype == np.uint8
    assert not pixels.values.any()
    assert pixels.notes == ()
