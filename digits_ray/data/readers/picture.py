"""A picture: what its header says, and its pixels, converted as the settings say."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, ImageOps

from digits_ray.config import DataConfig
from digits_ray.data.error_text import one_line

EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # of Pillow's; some others start programs
_MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_MAY_HAVE_FRAMES = ("PNG", "GIF", "TIFF", "WEBP")  # JPEG has them as previews alone
_MOST_PIXELS = 64 << 20  # 8,192 × 8,192: more than cameras take, and 200 MB once it is decoded

_ORIENTATION = 0x0112  # EXIF's tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that swap height and width


class BadPictureError(Exception):
    """What is wrong with a picture, and the cure; the message lacks the file's name."""


@dataclass(frozen=True)
class PictureShape:
    """What all pictures of a set have in common, after conversion."""

    height: int  # pixels
    width: int
    channels: int  # 1: grey; 3: red, green, blue

    def __str__(self) -> str:
        return f"{self.height} × {self.width} pixels, {'grey' if self.channels == 1 else 'coloured'}"


def is_picture(head: bytes) -> bool:
    """Returns whether a file's first bytes are those of a picture; PGM and its like are known by name alone."""
    return head.startswith(_MAGICS) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def shape_from_header(file: BinaryIO, settings: DataConfig) -> PictureShape:
    """Returns the shape that the pixels will have, without decoding them.

    Raises:
        BadPictureError: It is no picture, or cannot be read as `settings` are.
    """
    with _opened(file) as image:
        _refuse_unreadable(image)
        channels = 1 if _target_mode(image, settings) == "L" else 3
        width, height = reversed(image.size) if _orientation(image) in _SIDEWAYS else image.size
        return PictureShape(*(scaled_size(settings) or (height, width)), channels)


def decode(file: BinaryIO, settings: DataConfig) -> np.ndarray:
    """Returns (height, width) or (height, width, 3) uint8, upright.

    Args:
        file: A picture in any of the formats.
        settings: `size` and `grayscale` convert. What is transparent becomes white, 16 bits lose the lower eight.

    Raises:
        BadPictureError: As for `shape_from_header`, or the picture is damaged, or 16 bits hold what fits into 8.
    """
    with _opened(file) as image:
        _refuse_unreadable(image)
        mode = _target_mode(image, settings)
        has_16_bits = _has_16_bits(image)  # the header's; loading drops it
        image.load()
        if has_16_bits:
            _refuse_small_values(image)
        upright = image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
        converted = _opaque(_eight_bits(upright)).convert(mode)
        if size := scaled_size(settings):
            converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(converted)


def scaled_size(settings: DataConfig) -> tuple[int, int] | None:
    """Returns height and width that pictures are scaled to; None: they stay as they are."""
    return (settings.size, settings.size) if isinstance(settings.size, int) else settings.size


@contextmanager
def _opened(file: BinaryIO) -> Iterator[ImageFile.ImageFile]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large pictures and odd headers; we refuse what matters
            with Image.open(file, formats=_FORMATS) as image:
                yield image
    except BadPictureError:
        raise
    except Image.DecompressionBombError:
        raise _too_large() from None
    except Image.UnidentifiedImageError:
        raise _unidentified(file) from None
    except Exception as error:  # Pillow's decoders raise nearly anything for changed bytes
        raise BadPictureError(
            f"the picture is damaged ({one_line(error)}). Copy or download it again, or remove it."
        ) from None


def _unidentified(file: BinaryIO) -> BadPictureError:
    file.seek(0)
    if not file.read(1):
        return BadPictureError("the file is empty. Copy or download it again, or remove it.")
    return BadPictureError("is not a picture, or its header is damaged. PNG, JPEG, GIF, BMP, TIFF, WebP, PGM are read.")


def _too_large(size: str = "this picture") -> BadPictureError:
    return BadPictureError(f"{size} has more than {_MOST_PIXELS >> 20} million pixels. Scale it down or remove it.")


def _refuse_unreadable(image: ImageFile.ImageFile) -> None:
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise _too_large(f"the picture of {height} × {width}")
    if image.format in _MAY_HAVE_FRAMES and getattr(image, "is_animated", False):
        raise BadPictureError("holds several pictures or an animation. Save the picture that is meant as a file.")
    if image.mode == "F" or (image.mode == "I" and not _has_16_bits(image)):
        raise BadPictureError("the picture has 32 bits a pixel. Save it with 8 bits, from 0 to 255.")


def _target_mode(image: ImageFile.ImageFile, settings: DataConfig) -> str:
    """Pillow's mode of the pixels that are returned: L or RGB."""
    if settings.grayscale is not None:
        return "L" if settings.grayscale else "RGB"
    if obstacle := _obstacle(image):
        raise BadPictureError(
            f"the picture has {obstacle}. Save it as plain grey or RGB of 8 bits, or convert all pictures: "
            "data.grayscale=true makes them grey, false coloured."
        )
    return "RGB" if image.mode == "RGB" else "L"


def _obstacle(image: ImageFile.ImageFile) -> str | None:
    """What the picture has that grey or RGB pixels of 8 bits have not."""
    if _has_16_bits(image):
        return "16 bits a channel"
    if image.mode == "P":
        return "a palette"
    if image.has_transparency_data:
        return "an alpha channel"
    return None if image.mode in ("1", "L", "RGB") else f"the colour space {image.mode}"


def _has_16_bits(image: ImageFile.ImageFile) -> bool:
    """Whether the file has them: Pillow shows RGB of 16 bits as if it were of 8, but for the decoder's argument."""
    arguments = [tile.args for tile in image.tile]
    raw_modes = [given[0] if isinstance(given, tuple) else given for given in arguments if given]
    return image.mode.startswith("I;16") or any(
        isinstance(mode, str) and ";16" in mode and not mode.startswith("BGR;16")  # 5, 6 and 5 bits
        for mode in raw_modes
    )


def _refuse_small_values(image: Image.Image) -> None:
    """Refuses 16 bits without a value above 255, whatever was meant by them: black is what 8 bits leave of them."""
    if image.mode.startswith("I"):
        is_black = 0 < np.asarray(image).max() <= 255
    else:  # Pillow has cut the lower bits off; beside transparency black is ink
        is_black = not image.has_transparency_data and not np.asarray(image).any()
    if is_black:
        raise BadPictureError(
            "the picture has 16 bits a channel and no value above 255, so 8 bits would show it black. Save it with "
            "8 bits, or remove it."
        )


def _orientation(image: Image.Image) -> int:
    """EXIF's; 1 is upright. Pillow turns TIFF by itself, and would decode a PNG to look for what comes last in it."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return image.getexif().get(_ORIENTATION, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
