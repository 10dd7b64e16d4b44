"""Whether training can continue from a saved epoch: only where this release would have trained to the same numbers."""

import json
from collections.abc import Iterator
from io import BytesIO

import numpy as np

NUMBERS_VERSION = 1  # raise it with every change after which the same member, from the same seed, ends otherwise

_ARRAY = "numbers_version"  # its name in a saved state
PASSED_OVER = (
    "the epochs saved by another release were passed over, since this one trains to other numbers: it was trained from"
    " the first epoch on"
)


def version_array() -> dict[str, np.ndarray]:
    """Returns the version entry of a saved state (an .npz): an array () int64, by name."""
    return {_ARRAY: np.array(NUMBERS_VERSION)}


def is_current(state: bytes) -> bool:
    """Returns whether a saved state is of this version."""
    with np.load(BytesIO(state), allow_pickle=False) as saved:
        version = int(saved[_ARRAY]) if _ARRAY in saved.files else 1  # 0.1.0 wrote none
    return version == NUMBERS_VERSION


def saved_epochs(state: bytes | None) -> int:
    """Returns how many epochs training continues after; 0 without a state, and for one of another version."""
    if state is None or not is_current(state):
        return 0
    with np.load(BytesIO(state), allow_pickle=False) as saved:
        return len(json.loads(str(saved["history"])))


def latest_state(candidates: Iterator[bytes]) -> bytes | None:
    """Returns the latest saved state to continue from.

    Args:
        candidates: Saved states, that of the latest epoch first.

    Returns:
        That of this version; without one, the latest of another, which training ignores, with a note; None when
        there is none at all.
    """
    other = None
    for state in candidates:
        if is_current(state):
            return state
        other = other or state
    return other
