"""Folders of pictures and of Parquet parts, and IDX files, in an object store."""

from io import BytesIO

import numpy as np
import pytest
from image_files import random_frame
from picture_files import PICTURE, encoded, idx
from s3_server import BUCKET, S3

from digits_ray.config import DataConfig
from digits_ray.data import ImageFile, read_images
from digits_ray.errors import UserError


def put(s3: S3, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        s3.client.put_object(Bucket=BUCKET, Key=name, Body=content)


def read(s3: S3, name: str, labelled: bool = True) -> ImageFile:
    return read_images(f"s3://{BUCKET}/{name}", labelled, DataConfig())


@pytest.fixture(autouse=True)
def endpoint(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)


def test_class_folders_are_read_and_hidden_names_are_not_seen(s3: S3) -> None:
    put(s3, {f"digits/{name}": encoded() for name in ("7/10.png", "7/9.png", "3/a.PNG")} | {"digits/.DS_Store": b"x"})
    file = read(s3, "digits")
    assert file.ids.to_pylist() == ["3/a.PNG", "7/9.png", "7/10.png"]
    assert file.classes == (3, 7)
    assert file.images[0].tolist() == PICTURE.tolist()


def test_labels_csv_labels_a_flat_folder(s3: S3) -> None:
    put(s3, {"flat/1.png": encoded(), "flat/2.png": encoded(), "flat/labels.csv": b"file,label\n2.png,b\n1.png,a\n"})
    assert read(s3, "flat/").classes == ("a", "b")
    assert read(s3, "flat", labelled=False).ids.to_pylist() == ["1.png", "2.png"]


def test_a_folder_of_parts_is_read(s3: S3) -> None:
    for number in (0, 1):
        content = BytesIO()
        random_frame(3, seed=number).to_parquet(content, index=False)
        put(s3, {f"t.parquet/part-{number}.parquet": content.getvalue(), "t.parquet/_SUCCESS": b""})
    assert read(s3, "t.parquet").images.shape == (6, 4, 4)


def test_idx_labels_are_found_beside_the_images(s3: S3) -> None:
    put(s3, {"train-images-idx3-ubyte": idx(np.zeros((2, 3, 3), np.uint8))})
    put(s3, {"train-labels-idx1-ubyte": idx(np.array([4, 5], np.uint8))})
    assert read(s3, "train-images-idx3-ubyte").classes == (4, 5)


def test_bad_folders_are_refused_in_a_line(s3: S3) -> None:
    put(s3, {"deep/train/3/a.png": encoded(), "broken/3/a.png": encoded()[:-30], "broken/4/b.png": encoded()})
    for name, words in (
        ("deep", "deep/train: a folder with folders in it"),
        ("broken", "broken/3/a.png: the picture is damaged"),
        ("none", "none: no such file"),
    ):
        with pytest.raises(UserError, match=words):
            read(s3, name)
