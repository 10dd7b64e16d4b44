"""Archives of one set of images or several, under the names that people give them."""

from pathlib import Path

import numpy as np
import pytest
from image_files import complaint

from digits_ray.config import DataConfig
from digits_ray.data import ImageFile, load, read_images
from digits_ray.errors import UserError

TRAIN = np.random.default_rng(0).integers(2, 256, (6, 3, 4), dtype=np.uint8)
VAL, TEST = TRAIN[:2] ^ 1, TRAIN[:3] ^ 2
LABELS, VAL_LABELS, TEST_LABELS = np.array([0, 1, 2, 0, 1, 2]), np.array([2, 1]), np.array([0, 0, 1])


def archive(folder: Path, **arrays: object) -> str:
    np.savez_compressed(folder / "t.npz", **arrays)
    return str(folder / "t.npz")


def loaded(path: str, **settings: object) -> tuple[list, list, list]:
    """Images, labels and test images of a run with this file."""
    data = load(DataConfig(train=path, **settings))
    return data.images.tolist(), [data.classes[label] for label in data.labels], data.test_images.tolist()


NAMES = [
    ("images", "labels", None),
    ("x", "y", None),
    ("X", "Y", None),
    ("image", "label", None),
    ("data", "target", None),
    ("arr_0", "arr_1", None),
    ("x_train", "y_train", "x_test"),
    ("X_train", "y_train", "X_test"),
    ("train_images", "train_labels", "test_images"),
    ("images_train", "labels_train", "images_test"),
    ("trainImages", "trainLabels", "testImages"),
    ("train_x", "train_y", "test_x"),
    ("train_set_x", "train_set_y", "test_set_x"),
    ("xtrain", "ytrain", "xtest"),
    ("training_images", "training_labels", "test_images"),
    ("images", "labels", "test_images"),
]


@pytest.mark.parametrize(("images", "labels", "test"), NAMES, ids=[names[0] for names in NAMES])
def test_arrays_go_by_many_names(tmp_path: Path, images: str, labels: str, test: str | None) -> None:
    arrays = {images: TRAIN, labels: LABELS} | ({test: TEST} if test else {})
    expected = TRAIN.tolist(), LABELS.tolist(), TEST.tolist() if test else []
    assert loaded(archive(tmp_path, **arrays)) == expected


def test_test_images_beside_the_training_images_are_predicted_and_it_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path, x_train=TRAIN, y_train=LABELS, x_test=TEST, y_test=TEST_LABELS)
    data = load(DataConfig(train=path))
    assert data.test_source == path
    assert data.notes == (
        f"{path}: its 3 test images are predicted, as no --test was given",
        f"{path}: its labels score the ensemble once, at the end, and choose nothing",
    )
    assert [data.classes[label] for label in data.test_labels] == list(TEST_LABELS)


def test_a_test_file_of_its_own_wins(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", TRAIN[:1])
    path = archive(tmp_path, x_train=TRAIN, y_train=LABELS, x_test=TEST)
    assert loaded(path, test=str(tmp_path / "own.npy"))[2] == TRAIN[:1].tolist()


def test_an_archive_given_as_test_file_is_read_for_its_test_images(tmp_path: Path) -> None:
    both = {"x_train": TRAIN, "y_train": LABELS, "x_test": TEST}
    assert read_images(archive(tmp_path, **both), labelled=False).images.tolist() == TEST.tolist()
    del both["x_test"]
    assert read_images(archive(tmp_path, **both), labelled=False).images.tolist() == TRAIN.tolist()


@pytest.mark.parametrize(
    "names", [("x_train", "y_train", "x_val", "y_val"), ("train_images", "train_labels", "val_images", "val_labels")]
)
def test_validation_rows_join_the_labelled_rows_and_it_is_told(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = archive(tmp_path, **dict(zip(names, (TRAIN, LABELS[:, None], VAL, VAL_LABELS[:, None]), strict=True)))
    file = read_images(path, labelled=True)
    assert file.images.tolist() == [*TRAIN.tolist(), *VAL.tolist()]
    assert file.labels.tolist() == [*LABELS.tolist(), *VAL_LABELS.tolist()]
    assert file.notes == (f"{path}: 2 validation rows join the labelled rows",)


def test_validation_images_of_another_size_are_refused(tmp_path: Path) -> None:
    arrays = {"x_train": TRAIN, "y_train": LABELS, "x_val": VAL[:, :2], "y_val": VAL_LABELS}
    assert complaint(archive(tmp_path, **arrays)).startswith(
        "images to train and to validate on differ in size or scale"
    )


def test_arrays_that_are_not_read_are_told(tmp_path: Path) -> None:
    path = archive(tmp_path, images=TRAIN, labels=LABELS, writers=LABELS)
    assert read_images(path, labelled=True).notes == (f"{path}: not read: 'writers'",)


def test_the_array_of_labels_may_have_any_name_where_the_setting_says_so(tmp_path: Path) -> None:
    path = archive(tmp_path, images=TRAIN, digit=LABELS, writer=LABELS)
    assert loaded(path, label="digit") == (TRAIN.tolist(), LABELS.tolist(), [])
    assert "data.label" in complaint(path)


def test_labels_between_which_the_names_do_not_decide_are_chosen_by_the_setting(tmp_path: Path) -> None:
    path = archive(tmp_path, images=TRAIN, y=LABELS, label=LABELS + 1)
    assert loaded(path, label="label")[1] == (LABELS + 1).tolist()


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("kmnist-train-imgs.npz", "kmnist-train-labels.npz"),
        ("train_images.npy", "train_labels.npy"),
        ("X_train.npy", "y_train.npy"),
        ("x.npz", "y.npz"),
    ],
)
def test_labels_in_a_file_beside_the_images_are_read_and_it_is_told(tmp_path: Path, images: str, labels: str) -> None:
    for name, values in ((images, TRAIN), (labels, LABELS)):
        np.save(tmp_path / name, values) if name.endswith("npy") else np.savez(tmp_path / name, values)
    file = read_images(tmp_path / images, labelled=True)
    assert (file.images.tolist(), file.labels.tolist()) == (TRAIN.tolist(), LABELS.tolist())
    assert file.notes == (f"{tmp_path / images}: the labels are from {labels}",)


def test_labels_beside_that_do_not_fit_are_refused_by_their_own_files_name(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TRAIN)
    np.save(tmp_path / "y.npy", LABELS[:3])
    with pytest.raises(UserError, match=r"y\.npy: array 'labels' has shape \(3,\), not \(6,\)"):
        read_images(tmp_path / "x.npy", labelled=True)


def test_ids_of_an_archive_are_read(tmp_path: Path) -> None:
    file = read_images(archive(tmp_path, images=TRAIN, ids=[f"s{i}" for i in range(6)]), labelled=False)
    assert file.id_column == "ids"
    assert file.ids.to_pylist() == [f"s{i}" for i in range(6)]


def read(folder: Path, images: np.ndarray, **settings: object) -> ImageFile:
    return read_images(archive(folder, images=images, labels=LABELS), True, DataConfig(**settings))


def test_a_last_axis_of_one_channel_is_no_axis(tmp_path: Path) -> None:
    assert (read(tmp_path, TRAIN[..., None]).images == TRAIN).all()


def test_three_channels_are_colours(tmp_path: Path) -> None:
    colours = np.stack([TRAIN, 255 - TRAIN, TRAIN // 2], axis=-1)
    assert (read(tmp_path, colours).images == colours).all()


def test_colours_and_grey_have_different_fingerprints(tmp_path: Path) -> None:
    grey = load(DataConfig(train=archive(tmp_path, images=TRAIN, labels=LABELS))).fingerprint()
    colours = np.stack([TRAIN] * 3, axis=-1)
    colour = load(DataConfig(train=archive(tmp_path, images=colours, labels=LABELS))).fingerprint()
    assert (grey["channels"], colour["channels"]) == (1, 3)
    assert grey["train_sha256"] != colour["train_sha256"]


def test_channels_first_are_refused_with_the_transpose_that_mends_them(tmp_path: Path) -> None:
    colours = np.stack([TRAIN] * 3, axis=-1)
    path = archive(tmp_path, images=colours.transpose(0, 3, 1, 2), labels=LABELS)
    message = complaint(path)
    assert message.endswith("Save images.transpose(0, 2, 3, 1).")
    with np.load(path) as saved:
        assert (saved["images"].transpose(0, 2, 3, 1) == colours).all()


def test_flat_images_are_square_or_as_high_as_the_setting_says(tmp_path: Path) -> None:
    assert read(tmp_path, TRAIN[:, :, :3].reshape(6, 9)).images.shape == (6, 3, 3)
    assert (read(tmp_path, TRAIN.reshape(6, 12), height=3).images == TRAIN).all()


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i2", "u4", "i8", ">f4"])
def test_whole_numbers_of_any_type_are_pixels(tmp_path: Path, kind: str) -> None:
    assert (read(tmp_path, TRAIN.astype(kind)).images == TRAIN).all()


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_fractions_from_0_to_1_are_read_as_0_to_255(tmp_path: Path, kind: str) -> None:
    file = read(tmp_path, (TRAIN / 255).astype(kind))
    assert (file.images == TRAIN).all()
    assert file.pixel_scale == 1
    assert file.notes[0].endswith("pixels from 0 to 1 were multiplied by 255")


def test_arrays_in_fortran_order_are_read(tmp_path: Path) -> None:
    assert (read(tmp_path, np.asfortranarray(TRAIN)).images == TRAIN).all()


def test_a_column_for_each_class_gives_the_classes_by_number_and_it_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path, images=TRAIN, labels=np.eye(3)[LABELS])
    assert loaded(path)[1] == LABELS.tolist()
    assert "a column for each class" in read_images(path, labelled=True).notes[0]


# The training file's scale governs


def scaled_file(folder: Path, name: str, images: np.ndarray) -> str:
    np.savez(folder / f"{name}.npz", images=images, labels=np.arange(len(images)) % 2)
    return str(folder / f"{name}.npz")


def test_test_images_of_black_and_white_are_read_on_the_scale_of_the_training_file(tmp_path: Path) -> None:
    train = scaled_file(tmp_path, "train", TRAIN / 255)
    test = scaled_file(tmp_path, "test", (TRAIN > 128).astype(float))
    assert load(DataConfig(train=train, test=test)).test_images.tolist() == (255 * (TRAIN > 128)).tolist()
    train = scaled_file(tmp_path, "train", TRAIN)
    assert load(DataConfig(train=train, test=test)).test_images.max() == 1


@pytest.mark.parametrize("train_scale", [1, 255])
def test_scales_that_disagree_are_refused(tmp_path: Path, train_scale: int) -> None:
    images = {1: TRAIN / 255, 255: TRAIN}
    train = scaled_file(tmp_path, "train", images[train_scale])
    test = scaled_file(tmp_path, "test", images[256 - train_scale])
    with pytest.raises(UserError, match=r"test\.npz: pixels are .*, but those of the training images are"):
        load(DataConfig(train=train, test=test))


def test_a_test_set_on_another_scale_than_the_training_set_beside_it_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, x_train=TRAIN / 255, y_train=LABELS, x_test=TEST)
    with pytest.raises(UserError, match="Write both in the same way"):
        load(DataConfig(train=path))
