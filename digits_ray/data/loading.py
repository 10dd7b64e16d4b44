"""Loads the run's data: labelled images, and the images to label."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.config import DataConfig
from digits_ray.data.holdout import Holdout, add_holdout
from digits_ray.data.image_shape import channels_of, refuse_other_shape
from digits_ray.data.labels import Class
from digits_ray.data.labels_of_test_rows import labels_of_test_rows
from digits_ray.data.readers.image_file import ImageFile, match_pixel_scale, read_images
from digits_ray.data.readers.parsed_file import PixelScale
from digits_ray.data.readers.source import OnProgress
from digits_ray.errors import UserError

BUILT_IN = "scikit-learn digits"

_BUILT_IN_SIDE = 28  # pixels; as Kaggle's
_BUILT_IN_MAXIMUM = 16  # the pixels of scikit-learn's digits are 0 to 16
_BUILT_IN_TEST_PART = 0.2
_BUILT_IN_SEED = 0  # fixed: the test part belongs to the data, not to the run


@dataclass(frozen=True, eq=False)
class Data:
    """The data of a run."""

    images: np.ndarray  # (rows, height, width) uint8, or (rows, height, width, 3) in colour
    labels: np.ndarray  # (rows,) int32 index into classes
    classes: tuple[Class, ...]  # sorted: integers by value, strings by code point
    test_images: np.ndarray  # (test_rows, height, width[, 3]) uint8; no rows when there is no test
    train_source: str  # the path as given, "scikit-learn digits" or "arrays"
    test_source: str | None
    notes: tuple[str, ...] = ()  # what the user may want to know, one line each
    test_ids: tuple[str, ...] | None = None  # of the test rows, as their file has them; None: row numbers from 1
    id_column: str | None = None  # the name that the test file gives its ids
    pixel_scale: PixelScale = None  # of the training file
    groups: np.ndarray | None = None  # (rows,) int32; rows of a group, of one writer or patient, stay on one side
    holdout_rows: int = 0  # of the labelled rows the last, where a holdout was given, to score and nothing else
    holdout_source: str | None = None

    test_labels: np.ndarray | None = None  # (test_rows,) int32 index into classes, -1: unknown; None where all are

    @property
    def train_rows(self) -> int:
        """The labelled rows without those of a given holdout, which come after them."""
        return len(self.labels) - self.holdout_rows

    @property
    def test_labels_sha256(self) -> str | None:
        """What identifies the labels of the test rows, which are no part of the fingerprint; None without any."""
        return None if self.test_labels is None else _sha256([], self.test_labels.astype("<i4"))

    def fingerprint(self) -> dict[str, Any]:
        """Returns what identifies the data: by content, so that the same as .csv and as .npz agree.

        Returns:
            train_sha256, test_sha256 (None without test rows), train_rows, test_rows, height, width, channels (1 or
            3), classes; holdout_sha256 and holdout_rows where a holdout was given, groups_sha256 where groups were.
        """
        rows, (height, width) = self.train_rows, self.images.shape[1:3]
        test_rows = len(self.test_images)
        return {
            "train_sha256": self._sha256_of_labelled(slice(rows)),
            "test_sha256": _sha256([], self.test_images) if test_rows else None,
            "train_rows": rows,
            "test_rows": test_rows,
            "height": height,
            "width": width,
            "channels": channels_of(self.images.shape[1:]),
            "classes": list(self.classes),
            **self._fingerprint_of_split(),
        }

    def _fingerprint_of_split(self) -> dict[str, Any]:
        """Returns what identifies a given holdout and groups; nothing without them, as before there were any."""
        values: dict[str, Any] = {}
        if self.holdout_rows:
            sha256 = self._sha256_of_labelled(slice(self.train_rows, None))
            values |= {"holdout_sha256": sha256, "holdout_rows": self.holdout_rows}
        if self.groups is not None:
            values |= {"groups_sha256": _sha256([], self.groups.astype("<i4"))}
        return values

    def _sha256_of_labelled(self, part: slice) -> str:
        return _sha256(list(self.classes), self.images[part], self.labels[part].astype("<i4"))


def load(config: DataConfig, on_progress: OnProgress | None = None, groups: str | None = None) -> Data:
    """Reads and checks the data of a run; without `config.train`, scikit-learn's handwritten digits.

    Args:
        config: The files, and how to read them.
        on_progress: As for `read_images`; training images and test images are counted each by themselves.
        groups: The name of the column or array of groups, or None.

    Raises:
        UserError: A file is not as it should be, or they do not fit together.
    """
    if config.train is None:
        return _built_in(config, groups)
    read = partial(read_images, settings=config, on_progress=on_progress, groups=groups)
    train = read(config.train, labelled=True)
    _refuse_one_class(config.train, train)
    assert train.labels is not None
    test, test_source = _test(config, train, read)
    if test is not None and test_source is not None:
        refuse_other_shape(config.train, train.images.shape[1:], test_source, test.images.shape[1:])
        test = match_pixel_scale(test_source, test, train.pixel_scale)
    test_labels, label_notes = labels_of_test_rows(str(test_source), test.label_texts if test else None, train.classes)
    data = Data(
        images=train.images,
        labels=train.labels,
        classes=train.classes,
        test_images=train.images[:0] if test is None else test.images,
        train_source=config.train,
        test_source=test_source,
        notes=train.notes + (test.notes if test else ()) + label_notes,
        test_ids=tuple(test.ids.to_pylist()) if test and test.ids is not None else None,
        id_column=test.id_column if test else None,
        pixel_scale=train.pixel_scale,
        groups=_group_numbers(train.groups),
        test_labels=test_labels,
    )
    return data if config.holdout is None else _with_holdout(data, config.holdout, train, read)


def _with_holdout(data: Data, path: str, train: ImageFile, read: "partial[ImageFile]") -> Data:
    """Returns the data with the labelled images of another file as holdout."""
    file = read(path, labelled=True)
    refuse_other_shape(data.train_source, data.images.shape[1:], path, file.images.shape[1:])
    file = match_pixel_scale(path, file, train.pixel_scale)
    assert file.labels is not None
    groups = None
    if file.groups is not None:
        groups = _group_numbers(pa.concat_arrays([train.groups, file.groups]))[len(train.images) :]
    return add_holdout(data, Holdout(path, file.images, file.labels, file.classes, file.notes, groups))


def _group_numbers(names: Any) -> Any:
    """Returns (rows,) int32, numbered from 0 in order of appearance, from a pyarrow array of names; None from None."""
    return None if names is None else names.dictionary_encode().indices.to_numpy().astype(np.int32)


def _test(config: DataConfig, train: ImageFile, read: "partial[ImageFile]") -> tuple[ImageFile | None, str | None]:
    """Returns the images to label, from their own file or else from the training file, and where they are from."""
    if config.test is not None:
        return read(config.test, labelled=False), config.test
    if train.test is None:
        return None, None
    note = f"{config.train}: its {len(train.test.images):,} test images are predicted, as no --test was given"
    return replace(train.test, notes=(*train.test.notes, note)), config.train


def _refuse_one_class(path: str, file: ImageFile) -> None:
    if len(file.classes) < 2:
        assumed = f" ({file.notes[0].removeprefix(f'{path}: ')})" if file.notes else ""
        raise UserError(
            f"{path}: every row has the label {file.classes[0]!r}{assumed}. Add rows of at least one other class."
        )


def _built_in(config: DataConfig, groups: str | None) -> Data:
    """1,797 real digits, a fifth of them cut off as test rows, whose labels are known."""
    if groups is not None:
        raise UserError(f"split.groups: the built-in digits have no column {groups!r}. Give --train, or leave it out.")
    if config.test is not None:
        raise UserError(f"{config.test}: test images without training images. Give the training file too (--train).")
    from sklearn.datasets import load_digits  # here: importing scikit-learn takes a second
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)),
        test_size=_BUILT_IN_TEST_PART,
        random_state=_BUILT_IN_SEED,
        stratify=digits.target,
    )
    images, labels = _enlarged(digits.images), digits.target.astype(np.int32)
    note = (
        f"no training file given: using {BUILT_IN}; the labels of {len(test)} of {len(images):,} rows score the"
        " ensemble once, at the end, and choose nothing"
    )
    return Data(
        images=images[train],
        labels=labels[train],
        classes=tuple(int(name) for name in digits.target_names),
        test_images=images[test],
        train_source=BUILT_IN,
        test_source=BUILT_IN,
        notes=(note,),
        test_labels=labels[test],
    )


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Scales (rows, 8, 8) values of 0 to 16 bilinearly to (rows, 28, 28) uint8 of 0 to 255."""
    from scipy.ndimage import zoom

    factor = _BUILT_IN_SIDE / images.shape[1]
    larger = zoom(images, (1, factor, factor), order=1, grid_mode=True, mode="nearest")
    return np.rint(larger * (255 / _BUILT_IN_MAXIMUM)).astype(np.uint8)


def _sha256(classes: list[Class], *arrays: np.ndarray) -> str:
    """One hash over classes, shapes and values."""
    shapes = [array.shape for array in arrays]
    digest = hashlib.sha256(json.dumps([classes, shapes]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
