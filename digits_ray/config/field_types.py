"""Types that the fields of several groups of settings have."""

import os
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _text_of_path(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


# A path as text or as a `Path`. An empty text comes from a shell's variable that was never set.
Text = Annotated[str, BeforeValidator(_text_of_path), Field(min_length=1)]
