"""What the user must change is a ValueError to scikit-learn, whose searches count it as a failed fit."""

from collections.abc import Iterator
from contextlib import contextmanager

from digits_ray.errors import UserError


class UserValueError(UserError, ValueError):
    """A `UserError` that is a ValueError too."""


@contextmanager
def value_errors() -> Iterator[None]:
    """Makes every UserError of the body a ValueError.

    Raises:
        UserValueError: in the place of a UserError.
    """
    try:
        yield
    except UserError as error:
        raise UserValueError(str(error)) from None
