"""Folders of pictures, good and bad: a folder for each class, a list of labels, or neither."""

import os
from pathlib import Path

import numpy as np
import pytest
from picture_files import COLOURED, PICTURE, encoded, png, readable, write_pictures
from PIL import Image

from digits_ray.config import DataConfig
from digits_ray.data import ImageFile, load, read_images
from digits_ray.errors import UserError

CLASSES: dict[str, bytes | None] = {"7/10.png": None, "7/9.png": None, "3/a.PNG": None}
FLAT: dict[str, bytes | None] = {"10.png": None, "9.png": None, "a.png": None}


def refused(folder: Path, labelled: bool = True, settings: DataConfig | None = None) -> str:
    """The message, without what comes before the folder's own name."""
    with pytest.raises(UserError) as caught:
        read_images(folder, labelled, settings)
    message = str(caught.value)
    print(message)
    assert message.isprintable()
    assert message.startswith(str(folder.parent))
    assert message.endswith((".", ")"))
    return message.removeprefix(f"{folder.parent}/")


def labels_of(file: ImageFile) -> list[object]:
    return [file.classes[label] for label in file.labels]


def test_a_folder_a_class_is_read_in_the_natural_order_of_names(tmp_path: Path) -> None:
    file = read_images(write_pictures(tmp_path, CLASSES), labelled=True)
    assert (file.classes, labels_of(file)) == ((3, 7), [3, 7, 7])
    assert file.ids.to_pylist() == ["3/a.PNG", "7/9.png", "7/10.png"]
    assert file.images.tolist() == [(PICTURE + shift).tolist() for shift in (2, 1, 0)]
    assert file.notes == (f"{tmp_path}: each folder in it is a class: 3, 7",)


def test_class_folders_may_have_any_names(tmp_path: Path) -> None:
    file = read_images(write_pictures(tmp_path, {"cat 1/x.png": None, "Über/x.png": None, "01/x": None}), labelled=True)
    assert file.classes == ("01", "cat 1", "Über")


def test_coloured_pictures_are_read_as_coloured(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"a/1.png": encoded(COLOURED), "b/1.png": encoded(255 - COLOURED)})
    data = load(DataConfig(train=str(tmp_path)))
    assert data.images.tolist() == [COLOURED.tolist(), (255 - COLOURED).tolist()]


def test_what_systems_leave_behind_is_not_seen(tmp_path: Path) -> None:
    junk = [".DS_Store", "3/.DS_Store", "7/Thumbs.db", "desktop.ini", "__MACOSX/7/._9.png", ".cache/x.png", "7/._9.png"]
    write_pictures(tmp_path, {**CLASSES, **dict.fromkeys(junk, b"junk")})
    file = read_images(tmp_path, labelled=True)
    assert (len(file.images), len(file.notes)) == (3, 1)


def test_files_that_are_no_pictures_are_told(tmp_path: Path) -> None:
    write_pictures(tmp_path, {**CLASSES, "README.md": b"Digits.", "7/notes.txt": b"Seven."})
    note = read_images(tmp_path, labelled=True).notes[-1]
    assert note == f"{tmp_path}: 2 files are no pictures and were not read, such as README.md"


def test_a_flat_folder_is_predicted_with_file_names_as_ids(tmp_path: Path) -> None:
    file = read_images(write_pictures(tmp_path, FLAT), labelled=False)
    assert (file.ids.to_pylist(), file.id_column) == (["9.png", "10.png", "a.png"], "file")
    assert file.labels is None


def test_class_folders_label_pictures_that_need_no_label(tmp_path: Path) -> None:
    file = read_images(write_pictures(tmp_path, {**CLASSES, "empty/.keep": b""}), labelled=False)
    assert file.label_texts.to_pylist() == [name.partition("/")[0] for name in file.ids.to_pylist()]
    assert file.ids.to_pylist()[0] == "3/a.PNG"


@pytest.mark.parametrize(
    "rows",
    [
        "file,label\n9.png,7\n10.png,7\na.png,3\n",
        "label,filename\r\n7,9.png\r\n7,10.png\r\n3,a.png\r\n",
        "\ufeffID,Class\n9,7\n10,7\n\na,3\n",
        "image,label,size\n./9.png,7,x\npics/10.png,7.0,y\na.png, 3,z\n",
        '"file_name","target"\n"9.png","7"\n"10.png","7"\n"a.png","3"\n',
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_labels_csv_in_or_beside_the_folder_labels_its_pictures(tmp_path: Path, rows: str, beside: bool) -> None:
    folder = write_pictures(tmp_path / "pics", FLAT)
    (tmp_path if beside else folder).joinpath("labels.csv").write_text(rows, "utf-8", newline="")
    file = read_images(folder, labelled=True)
    assert dict(zip(file.ids.to_pylist(), labels_of(file), strict=True)) == {"9.png": 7, "10.png": 7, "a.png": 3}
    assert file.notes[0] == f"{folder}: labels are those of labels.csv"


def test_labels_csv_may_list_pictures_in_folders_and_leave_some_out(tmp_path: Path) -> None:
    write_pictures(tmp_path, {f"images/{name}": None for name in FLAT})
    (tmp_path / "labels.csv").write_text("picture,tag\nimages/a.png,x\nimages/9,y\n")
    file = read_images(tmp_path, labelled=True, settings=DataConfig(label="tag"))
    assert (file.ids.to_pylist(), labels_of(file)) == (["images/a.png", "images/9.png"], ["x", "y"])
    assert "1 picture that it does not list was not read" in file.notes[0]


def test_a_list_of_labels_that_powershell_wrote_is_read(tmp_path: Path) -> None:
    write_pictures(tmp_path, FLAT)
    (tmp_path / "labels.csv").write_bytes("file,label\n9.png,x\na.png,y\n".encode("utf-16"))
    assert labels_of(read_images(tmp_path, labelled=True)) == ["x", "y"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "the file is empty"),
        ("file,label\n", "holds no rows"),
        ("file;label\n9.png;7\n", "the columns are not separated by commas"),
        ("file\tlabel\n9.png\t7\n", "the columns are not separated by commas"),
        ("file,label\n9.png,7\nb.png,3\n", "row 2: no picture 'b.png' in"),
        ("file,label\n../pics/9.png,7\n", "row 1: no picture '../pics/9.png'"),
        ("file,label\n/etc/hosts,7\n", "row 1: no picture '/etc/hosts'"),
        ("file,label\n9.png\n", "row 1: 1 cell where the header has 2"),
        ("file,label\n9.png,7\n10.png, \n", "row 2: the label is empty"),
        ("file,label\n9.png,7\na.png,3\n9,7\n", "rows 1 and 3 both label '9.png'"),
        ("file,number\n9.png,7\n", "no column of labels, but 'file', 'number'"),
        ("label,what\n7,9.png\n", "no column of file names, but 'label', 'what'"),
        ('file,label\n"9.png,7\n', "is no readable CSV"),
        (b"file,label\n9.png,\xff\n", "is no UTF-8 text"),
    ],
    ids=readable,
)
def test_a_bad_list_of_labels_is_refused(tmp_path: Path, rows: str | bytes, words: str) -> None:
    folder = write_pictures(tmp_path / "pics", FLAT)
    (folder / "labels.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    message = refused(folder)
    assert message.startswith("pics/labels.csv: ")
    assert words in message


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({}, "pics: is a folder without pictures."),
        ({"train.csv": b"label,pixel0\n"}, "pics: is a folder without pictures, but 'train.csv'"),
        (FLAT, "pics: no labels for the pictures in it."),
        ({**CLASSES, **FLAT}, "pics: pictures lie in the folder itself ('9.png') and in folders inside it ('3')"),
        ({**CLASSES, "8/.DS_Store": b""}, "pics/8: no pictures of this class."),
        ({**CLASSES, "8/old/x.png": None}, "pics/8: a folder with folders in it ('old')"),
        ({"train/7/9.png": None, "test/3/a.png": None}, "pics/test: a folder with folders in it ('3')"),
        ({**CLASSES, "3/b.png": encoded(PICTURE.T)}, "pics/3/b.png: 3 × 2 pixels, grey, but"),
        ({**CLASSES, "3/b.png": encoded(COLOURED)}, "pics/3/b.png: 2 × 3 pixels, coloured, but"),
        ({**CLASSES, "7/8.png": b""}, "pics/7/8.png: the file is empty"),
        ({**CLASSES, "7/8.png": b"8"}, "pics/7/8.png: is not a picture"),
        ({**CLASSES, "7/8.png": encoded()[:-30]}, "pics/7/8.png: the picture is damaged"),
        ({**CLASSES, "7/8.png": png(50_000, 50_000)}, "pics/7/8.png: this picture has more than 64 million pixels"),
        ({**CLASSES, "7/8.gif": encoded(PICTURE, "GIF")}, "pics/7/8.gif: the picture has a palette"),
    ],
    ids=readable,
)
def test_a_bad_folder_is_refused(tmp_path: Path, files: dict[str, bytes | None], start: str) -> None:
    (tmp_path / "pics").mkdir()
    assert refused(write_pictures(tmp_path / "pics", files)).startswith(start)


def test_headers_are_looked_at_before_any_picture_is_decoded(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pics", {"3/1.png": encoded()[:-30], "3/2.png": encoded(PICTURE.T), "7/1.png": None})
    assert refused(tmp_path / "pics").startswith("pics/3/2.png: 3 × 2 pixels")


def test_size_and_grayscale_mend_mixed_pictures(tmp_path: Path) -> None:
    files = {**CLASSES, "3/b.png": encoded(PICTURE.T), "3/c.png": encoded(COLOURED)}
    files["7/8.gif"] = encoded(Image.fromarray(COLOURED).quantize(4), "GIF")
    write_pictures(tmp_path, files)
    assert read_images(tmp_path, labelled=True, settings=DataConfig(size=4, grayscale=True)).images.shape == (6, 4, 4)


def test_more_pixels_than_memory_are_refused_by_the_headers(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pics", CLASSES)
    message = refused(tmp_path / "pics", settings=DataConfig(size=2_000_000))
    assert "3 pictures of 2000000 × 2000000 pixels, grey take 11,175 GiB in memory" in message


def test_links_are_followed_and_those_that_lead_nowhere_or_in_circles_are_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pics", CLASSES)
    (folder / "8").symlink_to(folder / "7")
    assert labels_of(read_images(folder, labelled=True)) == [3, 7, 7, 8, 8]
    (folder / "9").symlink_to(folder)
    assert refused(folder).startswith("pics/9: a folder with folders in it")
    (folder / "9").unlink()
    (folder / "9").symlink_to(folder / "9")
    assert refused(folder).startswith("pics/9: a symbolic link that leads nowhere")
    (folder / "9").unlink()
    (folder / "7" / "x.png").symlink_to(folder / "none.png")
    assert refused(folder).startswith("pics/7/x.png: a symbolic link that leads nowhere")


def test_pipes_are_never_opened(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pics", CLASSES)
    os.mkfifo(folder / "7" / "x.png")
    assert refused(folder).startswith("pics/7/x.png: neither a file nor a folder")


@pytest.mark.parametrize(
    ("what", "words"), [("scandir", "you may not read this folder"), ("open", "may not read this file")]
)
def test_what_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, words: str
) -> None:
    def denied(*_: object) -> None:  # root may read everything
        raise PermissionError(13, "Permission denied")

    folder = write_pictures(tmp_path / "pics", CLASSES)
    monkeypatch.setattr(*((os, what) if what == "scandir" else (Path, what)), denied)
    assert words in refused(folder)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pics", CLASSES)
    (folder / "7" / os.fsdecode(b"\xff.png")).write_bytes(encoded())
    assert "is not UTF-8. Rename it." in refused(folder)


def test_loading_tells_how_far_the_pictures_are_read(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    load(DataConfig(train=str(write_pictures(tmp_path, CLASSES))), on_progress=lambda *counts: told.append(counts))
    assert told == [(3, 3)]


def test_train_and_test_folders_are_loaded_together(tmp_path: Path) -> None:
    write_pictures(tmp_path, {f"train/{name}": content for name, content in CLASSES.items()})
    write_pictures(tmp_path, {f"test/{name}": content for name, content in FLAT.items()})
    data = load(DataConfig(train=str(tmp_path / "train"), test=f"file://{tmp_path}/test/"))
    assert np.array_equal(data.test_images[0], PICTURE + 1)
    assert data.classes == (3, 7)
