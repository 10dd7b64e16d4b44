"""NumPy archives, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from image_files import IMAGES, LABELS, PIXELS, assert_is_the_sample, complaint, write_npz

from digits_ray.data import read_images


@pytest.mark.parametrize("labels", [[7, 3, 7], ["7", "3", "7"], [7.0, 3.0, 7.0]])
def test_npz_is_read_with_labels_of_any_kind(tmp_path: Path, labels: list) -> None:
    np.savez(tmp_path / "t.npz", images=np.array(PIXELS, np.uint8).reshape(3, 2, 2), labels=np.array(labels))
    assert_is_the_sample(str(tmp_path / "t.npz"))


def test_npz_images_need_not_be_square(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "t.npz", images=np.zeros((2, 3, 5), np.uint8))
    assert read_images(tmp_path / "t.npz", labelled=False).images.shape == (2, 3, 5)


class Trap:
    """Would create a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["images", "labels"])
def test_pickled_objects_are_refused_and_never_loaded(tmp_path: Path, key: str) -> None:
    trap = np.array([Trap(tmp_path / "sprung")] * 3, object)
    path = write_npz(tmp_path, **{"images": IMAGES, "labels": np.arange(3), key: trap})
    assert f"array '{key}' holds pickled objects" in complaint(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("arrays", "start"),
    [
        ({"x": IMAGES}, "no array 'labels', but 'x'"),
        ({"first": IMAGES, "second": IMAGES}, "no array 'images', but 'first', 'second'"),
        ({"labels": np.arange(3)}, "no array 'images', but 'labels'"),
        ({}, "no array 'images', but nothing"),
        ({"images": IMAGES}, "no array 'labels', but 'images'"),
        ({"images": IMAGES > 5}, "array 'images' is bool, not uint8"),
        ({"images": IMAGES.astype(complex)}, "array 'images' is complex128, not uint8"),
        ({"images": IMAGES[0, 0]}, "array 'images' has shape (2,), not (rows, height, width)"),
        ({"images": IMAGES.reshape(4, 3)[:, :2]}, "2 pixels an image make no square"),
        ({"images": np.zeros((3, 2, 2, 4), np.uint8)}, "array 'images' has shape (3, 2, 2, 4), not"),
        (
            {"images": np.zeros((5, 5, 3, 4))},
            "array 'images' has shape (5, 5, 3, 4), rows last. Save images.transpose(3,",
        ),
        (
            {"images": np.zeros((2, 2, 3)), "labels": LABELS},
            "array 'images' has shape (2, 2, 3) for 3 labels, rows last",
        ),
        ({"images": np.zeros((3, 3, 5, 5))}, "array 'images' has shape (3, 3, 5, 5), channels first"),
        ({"images": np.zeros((3, 1, 5, 5))}, "array 'images' has shape (3, 1, 5, 5), channels first"),
        ({"images": IMAGES - 1.0}, "array 'images', row 1, pixel (0, 0): -1 is below 0"),
        ({"images": IMAGES.astype(int) + 250}, "array 'images', row 2, pixel (1, 0): 256 is above 255"),
        ({"images": IMAGES / 2}, "array 'images', row 1, pixel (0, 1): 0.5 is not whole, but the greatest is 5.5"),
        ({"images": np.full((3, 2, 2), np.nan)}, "array 'images', row 1, pixel (0, 0): nan is no number"),
        ({"x": IMAGES, "images": IMAGES}, "arrays 'x', 'images' may all be images"),
        ({"images": IMAGES, "y": LABELS, "label": LABELS}, "arrays 'y', 'label' may all be labels"),
        ({"images": IMAGES[:0], "labels": np.arange(0)}, "holds no rows"),
        ({"images": IMAGES, "labels": np.arange(2)}, "array 'labels' has shape (2,), not (3,)"),
        ({"images": IMAGES, "labels": np.eye(3) * 2}, "array 'labels' has shape (3, 3), but row 1 is not a 1 among"),
        ({"images": IMAGES, "labels": np.ones((3, 2))}, "array 'labels' has shape (3, 2), but row 1 is not a 1 among"),
        ({"images": IMAGES, "labels": np.eye(2)}, "array 'labels' has shape (2, 2), not (3,)"),
        ({"images": IMAGES, "labels": [[[1]]] * 3}, "array 'labels' has shape (3, 1, 1), not (3,)"),
        ({"images": IMAGES, "labels": [1, 2.5, 3]}, "row 2, array 'labels': 2.5 is no label"),
        ({"images": IMAGES, "labels": [1, 2, np.nan]}, "row 3, array 'labels': nan is no label"),
        ({"images": IMAGES, "labels": ["a", "", "b"]}, "row 2, array 'labels': the label is empty"),
        ({"images": IMAGES, "labels": [1j, 2j, 3j]}, "array 'labels' is complex128"),
        ({"images": IMAGES, "labels": [b"a", b"\xff", b"c"]}, "array 'labels' holds text that is not UTF-8"),
    ],
)
def test_a_bad_npz_archive_is_refused(tmp_path: Path, arrays: dict, start: str) -> None:
    assert complaint(write_npz(tmp_path, **arrays)).startswith(start)


def test_a_truncated_npz_archive_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = write_npz(tmp_path, images=IMAGES, labels=np.arange(3)).read_bytes()
    for length in (1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "train.npz").write_bytes(whole[:length])
        assert ".npz archive" in complaint(tmp_path / "train.npz")


def test_an_npz_archive_with_a_damaged_array_is_refused(tmp_path: Path) -> None:
    whole = bytearray(write_npz(tmp_path, images=IMAGES, labels=np.arange(3)).read_bytes())
    whole[whole.index(IMAGES.tobytes())] ^= 1
    (tmp_path / "train.npz").write_bytes(whole)
    assert "is damaged" in complaint(tmp_path / "train.npz")


def test_a_single_array_is_read_as_images(tmp_path: Path) -> None:
    np.save(tmp_path / "test.npy", IMAGES)
    assert (read_images(tmp_path / "test.npy", labelled=False).images == IMAGES).all()
    assert complaint(tmp_path / "test.npy").startswith("no array 'labels', but 'images'")
