"""The shape of an image: (height, width) when it is grey, (height, width, 3) in colour."""

from collections.abc import Sequence

from digits_ray.errors import UserError

COLOUR_CHANNELS = 3  # red, green, blue, or any other three that all images have


def channels_of(shape: Sequence[int]) -> int:
    """Returns 1 for (height, width), otherwise the last number of (height, width, channels)."""
    return 1 if len(shape) == 2 else shape[2]


def shape_text(shape: Sequence[int]) -> str:
    """Returns "28 × 28 pixels", and that they are in colour where they are."""
    height, width = shape[:2]
    return f"{height} × {width} pixels" + (", in colour" if channels_of(shape) == COLOUR_CHANNELS else "")


def refuse_other_shape(
    train_source: str, train_shape: Sequence[int], test_source: str, test_shape: Sequence[int]
) -> None:
    """Raises UserError where test images have not the shape of the training images.

    Args:
        train_source: What to call the training images in the message: their path, or "train".
        train_shape: Of one of them.
        test_source: The same of the test images.
        test_shape: Of one of them.
    """
    if tuple(train_shape) == tuple(test_shape):
        return
    same_size = tuple(train_shape[:2]) == tuple(test_shape[:2])
    one_kind = "Use colour alone or grey alone; data.grayscale converts pictures."
    one_size = "Use images of one size in both."
    raise UserError(
        f"{test_source}: images of {shape_text(test_shape)}, but {train_source} has {shape_text(train_shape)}. "
        + (one_kind if same_size else one_size)
    )
