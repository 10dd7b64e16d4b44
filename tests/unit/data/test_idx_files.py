"""IDX files, good and bad: images, and the labels beside them."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from image_files import IMAGES, complaint
from picture_files import idx, readable

from digits_ray.data import read_images
from digits_ray.errors import UserError

LABELS = np.array([7, 3, 7], np.uint8)
NAME = "train-images-idx3-ubyte"


def write(folder: Path, images: bytes | None = None, labels: bytes | None = None) -> Path:
    (folder / NAME).write_bytes(idx(IMAGES) if images is None else images)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS) if labels is None else labels)
    return folder / NAME


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
        ("EMNIST-Images-IDX3-ubyte.GZ", "EMNIST-Labels-IDX1-ubyte.GZ"),
        ("digits.idx3", "digits.idx1"),
        ("images", "labels"),
    ],
)
def test_the_labels_beside_the_images_are_found_by_the_usual_names(tmp_path: Path, images: str, labels: str) -> None:
    for name, content in ((images, idx(IMAGES)), (labels, idx(LABELS))):
        packed = name.lower().endswith(".gz")
        (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    file = read_images(tmp_path / images, labelled=True)
    assert file.images.tolist() == IMAGES.tolist()
    assert [file.classes[label] for label in file.labels] == [7, 3, 7]
    assert file.notes == (f"{tmp_path / images}: labels are those of {labels}",)


def test_idx_images_are_predicted_without_labels(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert read_images(path, labelled=False).label_texts.to_pylist() == ["7", "3", "7"]
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    file = read_images(path, labelled=False)
    assert (file.images.shape, file.notes) == ((3, 2, 2), ())


def test_the_labels_of_qmnist_are_the_first_of_its_eight_columns(tmp_path: Path) -> None:
    columns = np.arange(24, dtype=">i4").reshape(3, 8)
    columns[:, 0] = LABELS
    (tmp_path / "qmnist-train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "qmnist-train-labels-idx2-int").write_bytes(idx(columns, 0x0C))
    file = read_images(tmp_path / "qmnist-train-images-idx3-ubyte", labelled=True)
    assert [file.classes[label] for label in file.labels] == [7, 3, 7]
    assert file.notes[0].endswith("labels are those of qmnist-train-labels-idx2-int (the first of its columns)")


def test_idx_images_may_have_a_channel_or_three(tmp_path: Path) -> None:
    path = write(tmp_path, idx(IMAGES[..., None]))
    assert read_images(path, labelled=False).images.tolist() == IMAGES.tolist()
    write(tmp_path, idx(np.stack([IMAGES] * 3, axis=-1)))
    assert read_images(path, labelled=False).images.shape == (3, 2, 2, 3)


@pytest.mark.parametrize("dtype, kind", [("i1", 0x09), (">i2", 0x0B), (">i4", 0x0C), (">f4", 0x0D), (">f8", 0x0E)])
def test_idx_labels_may_be_of_any_type(tmp_path: Path, dtype: str, kind: int) -> None:
    path = write(tmp_path, labels=idx(LABELS.astype(dtype)[:, None], kind))
    assert read_images(path, labelled=True).classes == (3, 7)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\x08\x03\0\0", "is cut off within its header"),
        (b"\0\0\x08\x07" + b"\0" * 40, "begins with the bytes '00 00 08 07', not as an IDX file"),
        (b"IDX3" + idx(IMAGES)[4:], "begins with the bytes '49 44 58 33'"),
        (idx(IMAGES)[:-1], "is cut off: 11 bytes of values, but its header announces 3 × 2 × 2, 12 bytes"),
        (idx(IMAGES) + b"\n", "is too long: 13 bytes"),
        (idx(IMAGES, sizes=(-3, 2, 2)), "its header announces -3 × 2 × 2 values"),
        (idx(IMAGES, sizes=(2**31 - 1, 28, 28)), "is cut off: 12 bytes of values"),
        (idx(IMAGES, sizes=(3, 0, 4)), "holds values of 3 × 0 × 4, not images"),
        (idx(IMAGES.reshape(3, 4)), "holds values of 3 × 4, not images"),
        (idx(np.zeros((3, 2, 2, 4), np.uint8)), "holds values of 3 × 2 × 2 × 4, not images"),
        (idx(LABELS), "holds labels, not images. Name the file of images"),
        (idx(IMAGES.astype(">f4"), 0x0D), "pixels of type >f4. Write them as unsigned bytes"),
        (idx(IMAGES[:0]), "holds no rows"),
        (gzip.compress(idx(IMAGES))[:-9], "the gzip file is cut off"),
        (gzip.compress(idx(IMAGES, sizes=(2**30, 2, 2))), "is cut off: 12 bytes"),
        (b"", "the file is empty"),
    ],
    ids=readable,
)
def test_a_bad_file_of_idx_images_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in complaint(write(tmp_path, images=content), labelled=False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(LABELS[:2]), "2 labels, but"),
        (idx(LABELS)[:-1], "is cut off: 2 bytes"),
        (idx(IMAGES), "holds values of 3 × 2 × 2 where the labels of"),
        (idx(np.array([7, 2.5, 7], ">f4"), 0x0D), "row 2, labels: 2.5 is no label"),
        (b"7\n3\n7\n", "begins with the bytes '37 0a 33 0a'"),
    ],
    ids=readable,
)
def test_bad_idx_labels_are_refused_by_the_name_of_their_own_file(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_images(write(tmp_path, labels=content), labelled=True)
    assert str(caught.value).startswith(f"{tmp_path / 'train-labels-idx1-ubyte'}: ")
    assert words in str(caught.value)


def test_missing_idx_labels_are_refused_with_the_name_that_they_should_have(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(idx(IMAGES))
    assert "no file of labels beside it, such as 'train-labels-idx1-ubyte'" in complaint(tmp_path / NAME)


def test_gzipped_zeros_are_refused_without_filling_the_memory(tmp_path: Path) -> None:
    zeros = gzip.compress(idx(np.zeros(0, np.uint8), sizes=(360_000, 28, 28)) + bytes(270 << 20), compresslevel=1)
    assert "which no real images do" in complaint(write(tmp_path, images=zeros), labelled=False)
