"""Columns as public files name them, in CSV and in Parquet."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_files import complaint, written

from digits_ray.config import DataConfig
from digits_ray.config.loading import load_config
from digits_ray.data import ImageFile, read_images

ROWS = 12
VALUES = np.random.default_rng(0).integers(0, 256, (ROWS, 9), dtype=np.uint8)  # 3 × 3 images
IMAGES = VALUES.reshape(-1, 3, 3).tolist()
LABELS = [7, 3, 24] * 4
NUMBERED = [f"pixel{i}" for i in range(9)]


def frame(names: list[str] = NUMBERED, label: str | None = "label", position: int = 0) -> pd.DataFrame:
    """The images under these names, with the label at a position."""
    table = pd.DataFrame(VALUES, columns=names)
    if label is not None:
        table.insert(position, label, LABELS)
    return table


def written_as(folder: Path, table: pd.DataFrame, kind: str) -> Path:
    path = folder / f"table.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path, index=False)
    return path


def assert_read(path: Path | str, **settings: object) -> ImageFile:
    """Asserts that the images and labels above are read."""
    file = read_images(path, labelled=True, settings=DataConfig(**settings))
    assert file.images.tolist() == IMAGES
    assert [file.classes[label] for label in file.labels] == LABELS
    return file


NAMINGS = {
    "from one": [f"pixel{i}" for i in range(1, 10)],
    "zero padded": [f"pixel{i:04d}" for i in range(9)],
    "underline": [f"px_{i}" for i in range(9)],
    "blank": [f"Pixel {i}" for i in range(9)],
    "numbers": [str(i) for i in range(9)],
    "numbers from one": [str(i) for i in range(1, 10)],
    "float numbers": [f"{i}.0" for i in range(9)],
    "R": [f"V{i}" for i in range(2, 11)],
    "rows by columns": [f"{row}x{column}" for row in range(1, 4) for column in range(1, 4)],
    "rows and columns": [f"row{row}_col{column}" for row in range(3) for column in range(3)],
    "pairs": [f"({row}, {column})" for row in range(3) for column in range(3)],
    "with a suffix": [f"p{i}_value" for i in range(9)],
    "a digit before": [f"px2_{i}" for i in range(9)],
    "blanks around": [f" pixel{i} " for i in range(9)],
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("position", [0, 4, 9])
@pytest.mark.parametrize("naming", NAMINGS)
def test_pixels_of_any_consistent_naming_are_read(tmp_path: Path, naming: str, position: int, kind: str) -> None:
    table = frame(NAMINGS[naming], position=position)
    assert assert_read(written_as(tmp_path, table, kind)).notes == ()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["Label", "LABEL", "labels", "class", "Class", "target", "y", "Y"])
def test_the_label_goes_by_several_names_and_which_is_told(tmp_path: Path, name: str, kind: str) -> None:
    path = written_as(tmp_path, frame(label=name), kind)
    assert assert_read(path).notes == (f"{path}: column '{name}' is the label",)


def test_a_column_of_any_name_is_the_label_where_the_setting_says_so(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame(label="digit"), "csv")
    assert_read(path, label="digit")
    assert complaint(path).startswith("neither label nor pixels: 'digit'. Name the label by --set data.label=digit, or")
    two = written_as(tmp_path, frame().assign(quality=1), "csv")
    assert read_images(two, True, DataConfig(label="quality", drop=("label",))).classes == (1,)


def test_columns_beside_label_and_pixels_are_named_with_the_setting_that_leaves_them_out(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame().assign(writer="a", date=1, place=2), "csv")
    assert complaint(path) == (
        "neither label nor pixels: 'writer', 'date', 'place'. "
        "Leave them out by --set 'data.drop=[writer, date, place]'."
    )
    assert_read(path, drop=("writer", "date", "place"))


def test_a_dropped_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame(), "csv")
    with pytest.raises(Exception, match=r"data\.drop: no column 'writre', but 'label', 'pixel0'"):
        read_images(path, True, DataConfig(drop=("writre",)))
    assert len(read_images(path, False, DataConfig(drop=("writre",))).images) == ROWS


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("index", [range(ROWS), [9, 4, 11, 0, 3, 8, 1, 2, 5, 7, 6, 10]])
def test_an_index_that_pandas_wrote_is_left_out_and_told(tmp_path: Path, kind: str, index: object) -> None:
    table = frame().set_axis(list(index), axis="index")
    path = tmp_path / f"t.{kind}"
    table.to_csv(path) if kind == "csv" else table.to_parquet(path, index=True)
    assert [note.removeprefix(f"{path}: ") for note in assert_read(path).notes] == [
        f"column {1 if kind == 'csv' else 11} has no name and numbers the rows; it is not read"
    ]


def test_pixels_that_pandas_holds_as_categories_are_read(tmp_path: Path) -> None:
    table = frame().astype(dict.fromkeys(NUMBERED, "category"))
    assert_read(written_as(tmp_path, table, "parquet"))


def test_an_index_that_was_written_twice_is_left_out_twice(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "first.csv")
    pd.read_csv(tmp_path / "first.csv").to_csv(tmp_path / "second.csv")
    assert len(assert_read(tmp_path / "second.csv").notes) == 2


def test_an_unnamed_column_of_something_else_is_refused(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame(label=None).assign(**{"": ["a", "b"] * 6}), "csv")
    assert complaint(path).startswith("no column 'label'")
    path = written_as(tmp_path, frame().assign(**{"": ["a", "b"] * 6}), "csv")
    assert complaint(path).startswith("column 11 has no name and holds 'a'")
    assert_read(path, drop=("Unnamed: 10",))


@pytest.mark.parametrize(
    ("header_comma", "row_comma"), [(True, True), (False, True), (True, False)], ids=["both", "rows", "header"]
)
def test_commas_at_the_end_of_lines_are_ignored_and_told(tmp_path: Path, header_comma: bool, row_comma: bool) -> None:
    header, *rows = frame().to_csv(index=False).splitlines()
    lines = [header + "," * header_comma, *(row + "," * row_comma for row in rows)]
    file = assert_read(written(tmp_path / "t.csv", "\n".join(lines)))
    assert any("column 11 is empty" in note for note in file.notes) == row_comma


def test_a_file_without_header_has_its_label_first_and_says_so(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, header=False)
    (note,) = assert_read(tmp_path / "t.csv").notes
    assert note.endswith("no header: column 1 was assumed to be the label; data.label names another")


def test_a_first_row_that_pandas_took_for_names_and_renamed_is_left_out_and_told(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, header=False)
    first = written(tmp_path / "first.csv", "0,0,0,0,0,0,7,0,7,0\n" + (tmp_path / "t.csv").read_text())
    pd.read_csv(first).to_csv(tmp_path / "saved.csv", index=False)
    assert (tmp_path / "saved.csv").read_text().startswith("0,0.1,0.2,0.3,0.4,0.5,7,0.6,7.1,0.7\n")
    notes = assert_read(tmp_path / "saved.csv").notes
    assert notes[0].endswith("line 1 is a row whose repeated numbers pandas renamed; it is not read")
    assert "column 1 was assumed to be the label" in notes[1]


def test_scikit_learns_own_names_are_read(tmp_path: Path) -> None:
    names = [f"pixel_{row}_{column}" for row in range(3) for column in range(3)]
    assert_read(written_as(tmp_path, frame(names, label="target", position=9), "csv"))


def test_the_label_of_a_file_without_header_may_be_any_column_by_its_number(tmp_path: Path) -> None:
    frame(position=9).to_csv(tmp_path / "t.csv", index=False, header=False)
    assert_read(tmp_path / "t.csv", label=10)


def test_a_file_without_header_may_begin_with_text_and_end_in_commas(tmp_path: Path) -> None:
    text = frame().to_csv(index=False, header=False, lineterminator=",\n").replace("\n7,", "\nseven,")
    file = read_images(written(tmp_path / "t.csv", "seven," + text.partition(",")[2]), labelled=True)
    assert file.classes == ("24", "3", "seven")


def test_images_without_header_and_label_are_predicted(tmp_path: Path) -> None:
    frame(label=None).to_csv(tmp_path / "t.csv", index=False, header=False)
    assert read_images(tmp_path / "t.csv", labelled=False).images.tolist() == IMAGES
    assert complaint(tmp_path / "t.csv").startswith("no column 'label'")


@pytest.mark.parametrize("names", [[f"V{i}" for i in range(1, 11)], [str(i) for i in range(10)]], ids=["R", "pandas"])
def test_names_that_a_program_made_up_have_the_label_first_and_it_is_told(tmp_path: Path, names: list[str]) -> None:
    path = written_as(tmp_path, frame().set_axis(names, axis="columns"), "csv")
    (note,) = assert_read(path).notes
    assert note.endswith(f"column '{names[0]}' was assumed to be the label; data.label names another")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_images_that_are_not_square_are_read_by_their_height_or_their_names(tmp_path: Path, kind: str) -> None:
    table = frame([f"p{row}_{column}" for row in range(1) for column in range(9)]).drop(columns="p0_8")
    wide = written_as(tmp_path, table, kind)
    assert complaint(wide).startswith("8 pixels an image make no square")
    assert read_images(wide, True, DataConfig(height=2)).images.shape == (ROWS, 2, 4)
    with pytest.raises(Exception, match=r"data\.height=3, but 8 pixels an image"):
        read_images(wide, True, DataConfig(height=3))
    names = [f"{row}x{column}" for row in range(2) for column in range(4)]
    named = written_as(tmp_path, table.set_axis(["label", *names], axis="columns"), kind)
    assert read_images(named, labelled=True).images.shape == (ROWS, 2, 4)


def test_three_columns_a_pixel_are_colours_and_it_is_told(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 12)
    table = pd.DataFrame(values, columns=[f"pixel{i:04d}" for i in range(12)]).assign(label=["a", "b"])
    file = read_images(written_as(tmp_path, table, "csv"), labelled=True)
    assert file.images.tolist() == values.reshape(2, 2, 2, 3).tolist()
    assert file.notes[0].endswith("three columns a pixel were read as its red, green and blue")


@pytest.mark.parametrize(
    ("names", "start"),
    [
        (["pixel1", "pixel0", *NUMBERED[2:]], "column 3 is 'pixel0' where 'pixel2' is expected"),
        ([*NUMBERED[:8], "pixel9"], "column 10 is 'pixel9' where 'pixel8' is expected"),
        ([*NUMBERED[:8], "Pixel8"], "neither label nor pixels: 'Pixel8'"),
        ([f"pixel{i}" for i in (0, 1, 10, 11, 2, 3, 4, 5, 6)], "column 4 is 'pixel10' where 'pixel2' is expected"),
        ([f"{row}x{column}" for column in range(3) for row in range(3)], "column 3 is '1x0' where '0x1' is expected"),
        ([f"{i}x{i}" for i in range(9)], "column 3 is '1x1' where '0x1' is expected"),
    ],
    ids=["swapped", "a gap", "another naming", "as text is sorted", "column by column", "a diagonal"],
)
def test_pixels_that_are_not_in_their_order_are_refused(tmp_path: Path, names: list[str], start: str) -> None:
    assert complaint(written_as(tmp_path, frame(names), "csv")).startswith(start)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["id", "ID", "ImageId", "image_id", "row id", "filename"])
def test_ids_of_a_test_file_are_read_under_their_own_name(tmp_path: Path, name: str, kind: str) -> None:
    ids = list(range(1000, 1000 + ROWS))
    table = frame(label=None).assign(**{name: ids})[[name, *NUMBERED]]
    file = read_images(written_as(tmp_path, table, kind), labelled=False)
    assert file.images.tolist() == IMAGES
    assert (file.id_column, file.ids.to_pylist()) == (name, [str(number) for number in ids])


def test_ids_of_a_training_file_are_left_out_and_told(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame().assign(id=range(ROWS)), "csv")
    file = assert_read(path)
    assert file.notes == (f"{path}: column 'id' holds ids and is not read",)
    assert file.ids is None


def test_ids_may_have_any_name_where_the_setting_says_so(tmp_path: Path) -> None:
    path = written_as(tmp_path, frame(label=None).assign(sheet=[f"s{i:03d}" for i in range(ROWS)]), "csv")
    file = read_images(path, False, DataConfig(id="sheet"))
    assert file.id_column == "sheet"
    assert file.ids[3].as_py() == "s003"
    with pytest.raises(Exception, match=r"data\.id: no column 'sheets'"):
        read_images(path, False, DataConfig(id="sheets"))


def test_ids_that_occur_twice_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,pixel0\n5,1\n5,2\n6,3\n")
    assert read_images(path, labelled=False).notes == (f"{path}: 1 ids of 'id' occur a second time",)


def test_an_empty_id_is_refused_by_row_and_line(tmp_path: Path) -> None:
    assert complaint(written(tmp_path / "t.csv", "id,pixel0\n5,1\n,2\n"), labelled=False) == (
        "row 2 (line 3), column id: the id is empty. Fill it in or drop the row."
    )


# Pixels that are not written as bytes


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("number", [np.float64, np.float32, np.float16])
def test_whole_numbers_written_as_floats_are_read_as_they_are(tmp_path: Path, kind: str, number: type) -> None:
    table = frame().astype(dict.fromkeys(NUMBERED, number))
    assert assert_read(written_as(tmp_path, table, kind)).pixel_scale == 255


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("number", [np.float64, np.float32, np.float16])
def test_pixels_from_0_to_1_are_read_as_0_to_255_exactly_and_told(tmp_path: Path, kind: str, number: type) -> None:
    table = frame()
    table[NUMBERED] = (table[NUMBERED] / 255).astype(number)
    path = written_as(tmp_path, table, kind)
    file = assert_read(path)
    assert file.pixel_scale == 1
    assert file.notes == (f"{path}: pixels from 0 to 1 were multiplied by 255",)


def test_every_shade_survives_the_way_to_1_and_back(tmp_path: Path) -> None:
    shades = np.arange(256)
    text = "label,pixel0\n" + "".join(f"{shade % 2},{shade / 255}\n" for shade in shades)
    file = read_images(written(tmp_path / "t.csv", text), labelled=True)
    assert file.images.ravel().tolist() == shades.tolist()


def test_fractions_that_are_no_shades_are_rounded_and_told(tmp_path: Path) -> None:
    file = read_images(written(tmp_path / "t.csv", "label,pixel0\na,0.5\nb,1\na,0\n"), labelled=True)
    assert file.images.ravel().tolist() == [128, 255, 0]
    assert file.notes[0].endswith("multiplied by 255 and rounded")


def test_zeros_and_ones_alone_are_no_fractions(tmp_path: Path) -> None:
    for text in ("label,pixel0\na,0\nb,1\n", "label,pixel0\na,0.0\nb,1.0\n"):
        file = read_images(written(tmp_path / "t.csv", text), labelled=True)
        assert (file.images.ravel().tolist(), file.pixel_scale, file.notes) == ([0, 1], 255, ())


@pytest.mark.parametrize("suffixes", [("r", "g", "b"), ("_red", "_green", "_blue")])
def test_colours_in_columns_of_names_of_their_own_are_refused(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    names = [f"pixel{i}{suffix}" for i in range(4) for suffix in suffixes]
    table = pd.DataFrame(np.zeros((ROWS, 12), np.uint8), columns=names).assign(label=LABELS)
    path = written_as(tmp_path, table, "csv")
    assert complaint(path).startswith(f"4 columns are named like {names[0]!r} and as many like {names[1]!r}")


@pytest.mark.parametrize("name", ["No", "01", "2026-01-01", "null", "a: b", "#1", "@x", "it's", "[x]", 'the "best"'])
def test_the_setting_that_leaves_a_column_out_can_be_pasted_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = written_as(tmp_path, frame().assign(**{name: 5}), "csv")
    words = shlex.split(complaint(path).removesuffix("."))
    setting = words[words.index("--set") + 1]
    settings = load_config(settings=[setting]).data
    assert settings.drop == (name,)
    assert_read(path, drop=settings.drop)
