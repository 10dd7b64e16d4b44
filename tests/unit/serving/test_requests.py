"""Bodies of requests, from clients that mean well and from others."""

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from drawn_digits import DIGITS
from local_server import FORM
from PIL import Image

from digits_ray.serving.requests import RequestedImages, RequestError, parse_body
from digits_ray.serving.settings import MOST_IMAGES, MOST_POINTS

GREY = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def parsed(body: Any, shape: tuple[int, ...] = (28, 28)) -> RequestedImages:
    return parse_body(body if isinstance(body, bytes) else json.dumps(body).encode(), shape, FORM)


def refused(body: Any) -> tuple[int, str]:
    with pytest.raises(RequestError) as refusal:
        parsed(body)
    return refusal.value.status, str(refusal.value)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# Pictures


def test_a_png_of_the_training_size_is_taken_as_it_is() -> None:
    requested = parsed(file_of(Image.fromarray(GREY)))
    assert np.array_equal(requested.images[0], GREY)
    assert not requested.were_changed


def test_a_picture_of_another_size_is_brought_into_the_form_of_the_training_images() -> None:
    paper = np.full((90, 60), 220, np.uint8)
    paper[20:70, 28:34] = 30
    for kind in ("PNG", "JPEG"):
        requested = parsed(file_of(Image.fromarray(paper), kind))
        assert requested.were_changed
        assert requested.images.shape == (1, 28, 28)
        assert requested.images[0, 14, 13:15].min() > 200 > requested.images[0, 14, 5]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_palettes_alpha_16_bits_and_colour_are_read_as_grey(mode: str) -> None:
    image = Image.fromarray(np.full((28, 28), 255, np.uint8))
    image = Image.fromarray(np.full((28, 28), 65535, np.uint16)) if mode == "I;16" else image.convert(mode)
    requested = parsed(file_of(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert requested.images.shape == (1, 28, 28)
    assert requested.images.min() >= 254


def test_colour_stays_where_the_run_was_trained_on_colour() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    assert np.array_equal(parsed(file_of(Image.fromarray(colour)), (28, 28, 3)).images[0], colour)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has side × side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [2049, 20_000, 2**31 - 1])
def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(side: int) -> None:
    status, message = refused(bomb(side))
    assert status == 422
    assert "million pixels" in message


def test_a_png_whose_text_would_fill_the_memory_is_refused() -> None:
    data = b"Comment\0\0" + zlib.compress(bytes(80 << 20), 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    png = file_of(Image.fromarray(GREY))
    assert refused(png[:33] + chunk + png[33:])[0] == 422


def test_an_animation_is_refused_in_words() -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    status, message = refused(file_of(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    assert status == 422
    assert "animation" in message


@pytest.mark.parametrize("left", [20, 60, 200])
def test_a_picture_that_is_cut_short_is_refused(left: int) -> None:
    assert refused(file_of(Image.fromarray(GREY))[:left])[0] == 422


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_formats_are_not_even_opened(kind: str) -> None:
    assert refused(file_of(Image.fromarray(GREY), kind)) == (400, "the body is neither PNG nor JPEG nor valid JSON.")


# JSON


def test_one_image_or_many_are_read() -> None:
    assert parsed({"images": GREY.tolist()}).images.shape == (1, 28, 28)
    many = parsed({"images": [GREY.tolist()] * 3})
    assert many.images.shape == (3, 28, 28)
    assert np.array_equal(many.images[2], GREY)
    assert many.images.dtype == np.uint8


def test_a_drawing_is_brought_into_the_form_of_the_training_images() -> None:
    requested = parsed({"drawing": DIGITS[7]})
    assert requested.were_changed
    assert requested.images.max() == 255


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"images": NaN}', 400),
        ([], 422),
        ({}, 422),
        ({"images": [[[0]]], "drawing": [[[0, 0]]]}, 422),
        ({"images": []}, 422),
        ({"images": "text"}, 422),
        ({"images": [[["0"] * 28] * 28]}, 422),
        ({"images": [[[0] * 28] * 27, [[0] * 28] * 28]}, 422),
        ({"images": [[[256] * 28] * 28]}, 422),
        ({"images": [[[-1] * 28] * 28]}, 422),
        ({"images": [[[10**400] * 28] * 28]}, 422),
        ({"images": [[[None] * 28] * 28]}, 422),
        ({"images": [[[0] * 27] * 28]}, 422),
        ({"images": [[[0] * 28] * 28] * (MOST_IMAGES + 1)}, 413),
        ({"drawing": []}, 422),
        ({"drawing": [[]]}, 422),
        ({"drawing": [[[1, 2, 3]]]}, 422),
        ({"drawing": [[["a", "b"]]]}, 422),
        ({"drawing": [[[True, False]]]}, 422),
        ({"drawing": [[[1e300, 0]]]}, 422),
        ({"drawing": [[[10**400, 0]]]}, 422),
        ({"drawing": [[[0, 0]] * (MOST_POINTS + 1)]}, 413),
    ],
    ids=str,
)
def test_what_is_no_image_is_refused_in_words(body: Any, status: int) -> None:
    given, message = refused(body)
    assert given == status
    assert message.endswith((".", "]"))
    assert len(message) < 300
