"""Reading good files, in every format that we say we read, and checking what is in them."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits_ray.config.schema import DataConfig
from digits_ray.data import Data, check_data, load, read_images
from digits_ray.data.readers import csv

HEADER = "label,pixel0,pixel1,pixel2,pixel3"
PIXELS = [[0, 1, 2, 3], [255, 10, 200, 7], [9, 8, 7, 6]]  # 2 × 2 images, row by row
LABELS = ["7", "3", "7"]


def csv_text(labels: list[str] = LABELS, line_end: str = "\n") -> str:
    rows = [",".join([label, *map(str, pixels)]) for label, pixels in zip(labels, PIXELS, strict=True)]
    return line_end.join([HEADER, *rows, ""])


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def random_frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """Labelled 4 × 4 images in Kaggle's layout."""
    values = np.random.default_rng(seed).integers(0, 256, (rows, 16), dtype=np.uint8)
    frame = pd.DataFrame(values, columns=[f"pixel{i}" for i in range(16)])
    frame.insert(0, "label", np.arange(rows) % 3)
    return frame


def assert_is_the_sample(path: str) -> None:
    file = read_images(path, labelled=True)
    assert file.images.dtype == np.uint8
    assert file.images.tolist() == np.array(PIXELS).reshape(3, 2, 2).tolist()
    assert [file.classes[label] for label in file.labels] == [7, 3, 7]
    assert file.classes == (3, 7)
    assert file.labels.dtype == np.int32


def test_kaggle_csv_becomes_square_images_and_class_indices(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text()))


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text(line_end="\r\n")))


def test_old_macintosh_line_ends_are_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text(line_end="\r")))


def test_a_last_line_without_line_end_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().rstrip("\n")))


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().replace("\n", "\n\n")))


def test_a_gzip_file_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv.gz", gzip.compress(csv_text().encode())))


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    text = csv_text().encode()
    assert_is_the_sample(written(tmp_path / "train.csv.gz", gzip.compress(text[:40]) + gzip.compress(text[40:])))


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "train.csv", b"\xef\xbb\xbf" + csv_text().encode()))


def test_a_quoted_header_still_gives_bytes(tmp_path: Path) -> None:
    quoted = ",".join(f'"{name}"' for name in HEADER.split(","))
    assert_is_the_sample(written(tmp_path / "train.csv", csv_text().replace(HEADER, quoted)))


def test_quoted_cells_are_read(tmp_path: Path) -> None:
    lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in csv_text().splitlines()]
    assert_is_the_sample(written(tmp_path / "train.csv", "\n".join(lines)))


def test_an_extension_in_capitals_is_read(tmp_path: Path) -> None:
    assert_is_the_sample(written(tmp_path / "TRAIN.CSV", csv_text()))


def test_the_label_may_be_the_last_column(tmp_path: Path) -> None:
    lines = [line.split(",") for line in csv_text().splitlines()]
    moved = "\n".join(",".join([*cells[1:], cells[0]]) for cells in lines)
    assert_is_the_sample(written(tmp_path / "train.csv", moved))


@pytest.mark.parametrize("position", [0, 2, 4])
def test_parquet_is_read_wherever_its_label_stands(tmp_path: Path, position: int) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:])
    frame.insert(position, "label", [7, 3, 7])
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


def test_parquet_with_whole_float_labels_gives_integers(tmp_path: Path) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:]).assign(label=[7.0, 3.0, 7.0])
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


def test_parquet_with_categorical_labels_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(PIXELS, columns=HEADER.split(",")[1:])
    frame["label"] = pd.Categorical(LABELS)
    frame.to_parquet(tmp_path / "train.parquet", index=False)
    assert_is_the_sample(str(tmp_path / "train.parquet"))


@pytest.mark.parametrize("labels", [[7, 3, 7], ["7", "3", "7"], [7.0, 3.0, 7.0]])
def test_npz_is_read_with_labels_of_any_kind(tmp_path: Path, labels: list) -> None:
    np.savez(tmp_path / "t.npz", images=np.array(PIXELS, np.uint8).reshape(3, 2, 2), labels=np.array(labels))
    assert_is_the_sample(str(tmp_path / "t.npz"))


def test_npz_images_need_not_be_square(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "t.npz", images=np.zeros((2, 3, 5), np.uint8))
    assert read_images(tmp_path / "t.npz", labelled=False).images.shape == (2, 3, 5)


def test_many_rows_keep_their_order_across_parsed_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 10_000)
    frame = random_frame(20_000)
    frame.to_csv(tmp_path / "train.csv", index=False)
    file = read_images(tmp_path / "train.csv", labelled=True)
    assert (file.images.reshape(-1, 16) == frame.to_numpy()[:, 1:]).all()
    assert (file.labels == frame["label"]).all()


def test_labels_over_two_lines_are_read_across_parsed_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 1000)
    rows = "".join(f'"two\nlines {row % 7}",{row % 256}\n' for row in range(1000))
    file = read_images(written(tmp_path / "train.csv", f"label,pixel0\n{rows}"), labelled=True)
    assert file.classes == tuple(f"two\nlines {i}" for i in range(7))
    assert file.images.ravel().tolist() == [row % 256 for row in range(1000)]


def classes_of(tmp_path: Path, labels: list[str]) -> tuple:
    return read_images(written(tmp_path / "train.csv", csv_text(labels)), labelled=True).classes


def test_integer_labels_are_sorted_by_value(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["10", "9", "-1"]) == (-1, 9, 10)


def test_labels_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["01", "2", "10"]) == ("01", "10", "2")


def test_one_word_among_numbers_makes_all_labels_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["7", "cat", "10"]) == ("10", "7", "cat")


def test_words_that_mean_missing_elsewhere_are_labels(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["NA", "null", "nan"]) == ("NA", "nan", "null")


def test_labels_with_commas_quotes_and_line_ends_are_kept(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ['"a,b"', '"a""b"', '"a\nb"']) == ("a\nb", 'a"b', "a,b")


def test_an_integer_too_long_for_a_computer_word_stays_text(tmp_path: Path) -> None:
    assert classes_of(tmp_path, ["1", "2", "9" * 5000]) == ("1", "2", "9" * 5000)


def test_labels_in_an_unlabelled_file_are_ignored_with_a_note(tmp_path: Path) -> None:
    path = written(tmp_path / "test.csv", csv_text(["", "x", ""]))
    file = read_images(path, labelled=False)
    assert (len(file.images), file.labels, file.classes) == (3, None, ())
    assert file.notes == (f"{path} has labels; they are not used",)


def saved_in_every_format(folder: Path) -> list[DataConfig]:
    """The same train and test images in every format that is read."""
    train, test = random_frame(30), random_frame(7, seed=1).drop(columns="label")
    for name, frame in (("train", train), ("test", test)):
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_csv(folder / f"{name}.csv.gz", index=False, lineterminator="\r\n")
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        images = frame.filter(like="pixel").to_numpy().reshape(-1, 4, 4)
        labels = {"labels": frame["label"].to_numpy()} if "label" in frame else {}
        np.savez(folder / f"{name}.npz", images=images, **labels)
    extensions = (".csv", ".csv.gz", ".parquet", ".npz")
    return [DataConfig(str(folder / f"train{e}"), str(folder / f"test{e}")) for e in extensions]


def test_the_same_data_has_the_same_fingerprint_in_every_format(tmp_path: Path) -> None:
    prints = [load(config).fingerprint() for config in saved_in_every_format(tmp_path)]
    assert all(fingerprint == prints[0] for fingerprint in prints)
    assert prints[0]["classes"] == [0, 1, 2]
    assert (prints[0]["train_rows"], prints[0]["test_rows"]) == (30, 7)
    assert (prints[0]["height"], prints[0]["width"]) == (4, 4)


def sample_data(**changes: object) -> Data:
    given = {
        "images": np.arange(16, dtype=np.uint8).reshape(4, 2, 2),
        "labels": np.array([0, 1, 0, 1], np.int32),
        "classes": ("a", "b"),
        "test_images": np.zeros((0, 2, 2), np.uint8),
        "train_source": "train.csv",
        "test_source": None,
    }
    return Data(**{**given, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.arange(1, 17, dtype=np.uint8).reshape(4, 2, 2)},
        {"images": np.arange(16, dtype=np.uint8).reshape(4, 1, 4)},
        {"labels": np.array([1, 0, 0, 1], np.int32)},
        {"classes": ("a", "c")},
        {"classes": (1, 2)},
    ],
)
def test_any_change_of_the_training_data_changes_its_fingerprint(changes: dict) -> None:
    assert sample_data(**changes).fingerprint()["train_sha256"] != sample_data().fingerprint()["train_sha256"]


def test_file_names_do_not_change_the_fingerprint() -> None:
    assert sample_data(train_source="other.csv").fingerprint() == sample_data().fingerprint()


def test_without_test_rows_there_is_no_test_fingerprint() -> None:
    assert sample_data().fingerprint()["test_sha256"] is None


def test_the_fingerprint_stays_the_same_from_version_to_version() -> None:
    recorded = "baf8813aab84443066a4b396df306d99817854467ebc58a48836e9cdd10014e2"
    assert sample_data().fingerprint()["train_sha256"] == recorded, "old runs could not be continued"


def test_without_a_test_file_there_are_no_test_rows(tmp_path: Path) -> None:
    data = load(DataConfig(train=written(tmp_path / "train.csv", csv_text())))
    assert data.test_images.shape == (0, 2, 2)
    assert data.test_source is None


def test_a_labelled_test_file_leaves_a_note(tmp_path: Path) -> None:
    path = written(tmp_path / "train.csv", csv_text())
    data = load(DataConfig(train=path, test=path))
    assert data.notes == (f"{path} has labels; they are not used",)
    assert len(data.test_images) == 3


def test_without_files_scikit_learns_digits_are_enlarged_and_parted() -> None:
    data = load(DataConfig())
    assert data.images.shape == (1437, 28, 28)
    assert data.test_images.shape == (360, 28, 28)
    assert data.images.dtype == np.uint8
    assert (data.images.min(), data.images.max()) == (0, 255)
    assert data.classes == tuple(range(10))
    assert data.train_source == data.test_source == "scikit-learn digits"
    assert np.bincount(data.labels).min() > 130  # stratified
    assert load(DataConfig()).fingerprint() == data.fingerprint()


def test_the_enlarged_digits_keep_their_brightness_and_place() -> None:
    from sklearn.datasets import load_digits

    data = load(DataConfig())
    every_image = np.concatenate([data.images, data.test_images]).astype(float)
    small = load_digits().images * 255 / 16
    assert every_image.mean() == pytest.approx(small.mean(), rel=0.02)
    halves = every_image[:, :, :14].mean(), every_image[:, :, 14:].mean()
    assert halves == pytest.approx((small[:, :, :4].mean(), small[:, :, 4:].mean()), rel=0.02)


def test_importing_the_data_room_loads_neither_ray_nor_scikit_learn() -> None:
    heavy = "{'ray', 'sklearn', 'tensorflow', 'scipy', 'pandas'}"
    code = f"import sys, digits_ray.data, digits_ray.ensemble.submission; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"


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
