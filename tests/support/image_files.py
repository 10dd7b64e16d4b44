"""Files of images, good and bad, and the messages that refuse the bad ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits_ray.config import DataConfig
from digits_ray.data import Data, read_images
from digits_ray.errors import UserError

HEADER = "label,pixel0,pixel1,pixel2,pixel3"
GOOD_CSV = f"{HEADER}\n7,0,1,2,3\n3,4,5,6,7\n7,8,9,10,11\n"
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
PIXELS = [[0, 1, 2, 3], [255, 10, 200, 7], [9, 8, 7, 6]]  # 2 × 2 images, row by row
LABELS = ["7", "3", "7"]

Refusal = Callable[..., str]


def csv_text(labels: list[str] = LABELS, line_end: str = "\n") -> str:
    """The images of PIXELS in Kaggle's layout, with these labels."""
    rows = [",".join([label, *map(str, pixels)]) for label, pixels in zip(labels, PIXELS, strict=True)]
    return line_end.join([HEADER, *rows, ""])


def written(path: Path, content: str | bytes) -> str:
    """Writes a file and returns its path as text."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def random_frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """Labelled 4 × 4 images in Kaggle's layout."""
    values = np.random.default_rng(seed).integers(0, 256, (rows, 16), dtype=np.uint8)
    frame = pd.DataFrame(values, columns=[f"pixel{i}" for i in range(16)])
    frame.insert(0, "label", np.arange(rows) % 3)
    return frame


def sample_data(**changes: object) -> Data:
    """Four labelled images of two classes, with some fields replaced."""
    given = {
        "images": np.arange(16, dtype=np.uint8).reshape(4, 2, 2),
        "labels": np.array([0, 1, 0, 1], np.int32),
        "classes": ("a", "b"),
        "test_images": np.zeros((0, 2, 2), np.uint8),
        "train_source": "train.csv",
        "test_source": None,
    }
    return Data(**{**given, **changes})


def write_parquet(folder: Path, **changes: object) -> Path:
    """A small good table with some columns replaced, as a file."""
    columns = {"label": [7, 3, 7], **{f"pixel{i}": [i, 1, 2] for i in range(4)}, **changes}
    pd.DataFrame(columns).to_parquet(folder / "train.parquet", index=False)
    return folder / "train.parquet"


def write_npz(folder: Path, **arrays: object) -> Path:
    """An archive of these arrays."""
    np.savez(folder / "train.npz", **arrays)
    return folder / "train.npz"


def assert_is_the_sample(path: str) -> None:
    """Asserts that a file holds the images of PIXELS and the labels of LABELS."""
    file = read_images(path, labelled=True)
    assert file.images.dtype == np.uint8
    assert file.images.tolist() == np.array(PIXELS).reshape(3, 2, 2).tolist()
    assert [file.classes[label] for label in file.labels] == [7, 3, 7]
    assert file.classes == (3, 7)
    assert file.labels.dtype == np.int32


def complaint(path: Path | str, labelled: bool = True, settings: DataConfig | None = None) -> str:
    """Returns the message that refuses a file, without the file's name."""
    with pytest.raises(UserError) as caught:
        read_images(path, labelled, settings)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), "one line, no control characters"
    assert len(message) < len(str(path)) + 300
    assert message.endswith((".", ")"))
    print(message)  # pytest -s shows every message as a user would read it
    return message.removeprefix(f"{path}: ")
