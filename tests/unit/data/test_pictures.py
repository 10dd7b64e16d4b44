"""Single pictures of every format, good and bad, and how they are converted."""

from pathlib import Path

import numpy as np
import pytest
from image_files import complaint, written
from picture_files import COLOURED, PICTURE, encoded, png, readable
from PIL import Image

from digits_ray.config import DataConfig
from digits_ray.data import read_images
from digits_ray.data.readers.decode import Picture, decode_pictures
from digits_ray.errors import UserError

GREY, COLOUR = DataConfig(grayscale=True), DataConfig(grayscale=False)


def pixels(content: bytes, settings: DataConfig | None = None) -> np.ndarray:
    """What a picture is read as."""
    return decode_pictures([Picture("x.png", content)], settings or DataConfig())[0]


@pytest.mark.parametrize("name", ["one.png", "ONE.PNG", "one.bmp", "one.tiff", "one.pgm", "one"])
def test_a_grey_picture_is_read_exactly_with_its_name_as_id(tmp_path: Path, name: str) -> None:
    kind = {"bmp": "BMP", "tiff": "TIFF", "pgm": "PPM"}.get(name.rpartition(".")[2], "PNG")
    file = read_images(written(tmp_path / name, encoded(PICTURE, kind)), labelled=False)
    assert file.images.tolist() == [PICTURE.tolist()]
    assert file.images.dtype == np.uint8
    assert (file.ids.to_pylist(), file.id_column) == ([name], "file")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_a_coloured_picture_has_red_green_and_blue(kind: str) -> None:
    assert pixels(encoded(COLOURED, kind)).tolist() == COLOURED.tolist()


def test_jpeg_and_webp_are_read() -> None:
    flat = np.full((8, 8, 3), 100, np.uint8)
    assert np.abs(pixels(encoded(flat, "JPEG")).astype(int) - 100).max() < 3
    assert np.abs(pixels(encoded(flat, "WEBP")).astype(int) - 100).max() < 3
    assert pixels(encoded(flat[..., 0], "JPEG")).shape == (8, 8)


def test_two_shades_become_black_and_white() -> None:
    assert pixels(encoded(Image.fromarray(PICTURE > 90))).tolist() == ((PICTURE > 90) * 255).tolist()


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, PICTURE), (3, PICTURE[::-1, ::-1]), (6, np.rot90(PICTURE, -1)), (8, np.rot90(PICTURE))],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_is_turned_upright_as_exif_says(orientation: int, turned: np.ndarray, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels(encoded(PICTURE, kind, exif=exif)).tolist() == turned.tolist()


def test_size_scales_to_a_side_or_to_height_and_width() -> None:
    assert pixels(encoded(), DataConfig(size=4)).shape == (4, 4)
    assert pixels(encoded(COLOURED), DataConfig(size=(4, 5))).shape == (4, 5, 3)
    flat = np.full((40, 30), 77, np.uint8)
    assert (pixels(encoded(flat), DataConfig(size=7)) == 77).all()


def test_grayscale_makes_any_picture_grey_or_coloured() -> None:
    luma = np.rint(COLOURED @ np.array([0.299, 0.587, 0.114])).tolist()
    assert pixels(encoded(COLOURED), GREY).tolist() == luma
    assert pixels(encoded(PICTURE), COLOUR).tolist() == np.stack([PICTURE] * 3, axis=-1).tolist()
    palette = Image.fromarray(COLOURED).quantize(6)
    assert pixels(encoded(palette), COLOUR).tolist() == COLOURED.tolist()
    assert pixels(encoded(palette, "GIF"), GREY).tolist() == luma


def test_sixteen_bits_lose_the_lower_eight() -> None:
    deep = PICTURE.astype(np.uint16) * 256 + 255
    for kind in ("PNG", "TIFF", "PPM"):
        assert pixels(encoded(deep, kind), GREY).tolist() == PICTURE.tolist()


@pytest.mark.parametrize(
    "content",
    [
        encoded(PICTURE.astype(np.uint16)),
        encoded(PICTURE.astype(np.uint16), "TIFF"),
        encoded(PICTURE.astype(np.uint16), "PPM"),
        png(1, 1, 16, 2, b"\0" + b"\0\xff" * 3),
    ],
    ids=["PNG", "TIFF", "PPM", "RGB"],
)
def test_sixteen_bits_that_hold_what_fits_into_eight_do_not_become_black(tmp_path: Path, content: bytes) -> None:
    for settings in (GREY, COLOUR):
        message = complaint(written(tmp_path / "x.png", content), labelled=False, settings=settings)
        assert message.startswith("the picture has 16 bits a channel and no value above 255")


def test_a_black_picture_of_sixteen_bits_stays_black() -> None:
    assert pixels(encoded(np.zeros((2, 2), np.uint16)), GREY).tolist() == [[0, 0], [0, 0]]


def test_what_is_transparent_becomes_white() -> None:
    half = Image.fromarray(np.stack([PICTURE, np.array([[0, 255, 255], [255, 255, 0]], np.uint8)], axis=-1), "LA")
    expected = PICTURE.copy()
    expected[0, 0] = expected[1, 2] = 255
    assert pixels(encoded(half), GREY).tolist() == expected.tolist()


OBSTACLES = [
    (encoded(PICTURE.astype(np.uint16) << 8), "16 bits a channel"),
    (encoded(PICTURE.astype(np.uint16) << 8, "TIFF"), "16 bits a channel"),
    (png(1, 1, 16, 2, b"\0" + b"\x40\0" * 3), "16 bits a channel"),
    (encoded(Image.fromarray(COLOURED).quantize(6)), "a palette"),
    (encoded(Image.fromarray(PICTURE), "GIF"), "a palette"),
    (encoded(Image.new("RGBA", (3, 2))), "an alpha channel"),
    (encoded(Image.new("LA", (3, 2))), "an alpha channel"),
    (encoded(Image.new("L", (3, 2)), transparency=0), "an alpha channel"),
    (encoded(Image.new("CMYK", (3, 2)), "JPEG"), "the colour space CMYK"),
]


@pytest.mark.parametrize(("content", "obstacle"), OBSTACLES, ids=readable)
def test_what_is_neither_grey_nor_rgb_of_8_bits_is_refused_with_the_setting_that_converts(
    tmp_path: Path, content: bytes, obstacle: str
) -> None:
    message = complaint(written(tmp_path / "x.png", content), labelled=False)
    assert message.startswith(f"the picture has {obstacle}. ")
    assert "data.grayscale=true" in message
    assert pixels(content, GREY).dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png(50_000, 50_000), "has more than 64 million pixels"),
        (png(10_000, 10_000), "the picture of 10000 × 10000 has more than 64 million pixels"),
        (png(0, 5), "is not a picture, or its header is damaged"),
        (encoded(np.zeros((99, 99), np.uint8))[:60], "the picture is damaged"),
        (encoded()[:20], "the picture is damaged (Truncated"),
        (encoded(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8), "JPEG")[:-400], "is damaged"),
        (b"no picture at all", "is not a picture"),
        (b"\x89PNG\r\n\x1a\n", "is not a picture"),
        (encoded(Image.fromarray(PICTURE.astype(np.float32)), "TIFF"), "has 32 bits a pixel"),
        (encoded(Image.fromarray(PICTURE.astype(np.int32)), "TIFF"), "has 32 bits a pixel"),
        (b"", "the file is empty"),
    ],
    ids=readable,
)
def test_a_bad_picture_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    for settings in (DataConfig(), GREY):
        assert words in complaint(written(tmp_path / "x.png", content), labelled=False, settings=settings)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_animations_and_several_pages_are_refused(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(PICTURE * np.uint8(number)) for number in (1, 2)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "holds several pictures" in complaint(written(tmp_path / "x", content), labelled=False, settings=GREY)


def test_a_single_picture_cannot_train(tmp_path: Path) -> None:
    assert "a single picture has no label" in complaint(written(tmp_path / "x.png", encoded()))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_picture_with_any_byte_changed_is_read_or_refused_but_never_crashes(kind: str) -> None:
    content = encoded(np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8), kind)
    for position in np.random.default_rng(0).integers(0, len(content), 200):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        try:
            pixels(bytes(changed), GREY)
        except UserError as error:
            assert str(error).isprintable()
