"""What is counted of the data before training."""

import numpy as np
from image_files import sample_data

from digits_ray.data import check_data


def test_check_counts_classes_and_the_range_of_values() -> None:
    found = check_data(sample_data(labels=np.array([0, 1, 1, 1], np.int32)))
    assert found.class_counts == {"a": 1, "b": 3}
    assert found.value_range == (0, 15)
    assert found.duplicates == {"train": 0, "train_test": 0, "test": 0, "conflicting_labels": 0}


def test_check_counts_exact_duplicates_within_and_across_files() -> None:
    one, two, three = (np.full((1, 2, 2), value, np.uint8) for value in (1, 2, 3))
    data = sample_data(
        images=np.concatenate([one, one, one, two, two]),
        labels=np.array([0, 0, 1, 1, 1], np.int32),
        test_images=np.concatenate([one, two, three, three, three]),
    )
    expected = {"train": 3, "train_test": 2, "test": 2, "conflicting_labels": 1}
    assert check_data(data).duplicates == expected


def test_images_that_differ_in_their_last_pixel_only_are_no_duplicates() -> None:
    images = np.zeros((4, 2, 2), np.uint8)
    images[:, 1, 1] = [0, 1, 0, 2]
    assert check_data(sample_data(images=images)).duplicates["train"] == 1


def test_images_that_differ_in_one_channel_only_are_no_duplicates() -> None:
    images = np.zeros((4, 2, 2, 3), np.uint8)
    images[:, 0, 0, 2] = [0, 1, 0, 2]
    data = sample_data(images=images, test_images=images[1:2])
    assert check_data(data).duplicates == {"train": 1, "train_test": 1, "test": 0, "conflicting_labels": 0}
