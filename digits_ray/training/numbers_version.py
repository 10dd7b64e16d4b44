"""Whether training can continue from a saved epoch: only where this release would have trained to the same numbers."""

import json
from collections.abc import Iterator
from io import BytesIO

import numpy as np

# By Keras's backend. To be raised with every change after which the same member, from the same seed, ends otherwise.
NUMBERS_VERSIONS = {"tensorflow": 1, "jax": 2}

_ARRAY = "numbers_version"  # its name in a saved state
PASSED_OVER = (
    "the epochs saved by another release were passed over, since this one trains to other numbers: it was trained from"
    " the first epoch on"
)


def version_array(backend: str) -> dict[str, np.ndarray]:
    """Returns the version entry of a state (an .npz) that this backend saves: an array () int64, by name."""
    return {_ARRAY: np.array(NUMBERS_VERSIONS[backend])}


def is_current(state: bytes, backend: str) -> bool:
    """Returns whether a state that this backend has saved is of this version."""
    with np.load(BytesIO(state), allow_pickle=False) as saved:
        version = int(saved[_ARRAY]) if _ARRAY in saved.files else 1  # 0.1.0 wrote none
    return version == NUMBERS_VERSIONS[backend]


def saved_epochs(state: bytes | None, backend: str) -> int:
    """Returns how many epochs training continues after; 0 without a state, and for one of another version."""
    if state is None or not is_current(state, backend):
        return 0
    with np.load(BytesIO(state), allow_pickle=False) as saved:
        return len(json.loads(str(saved["history"])))


def latest_state(candidates: Iterator[bytes], backend: str) -> bytes | None:
    """Returns the latest saved state to continue from.

    Args:
        candidates: Saved states, that of the latest epoch first.
        backend: Which has saved them, and trains on.

    Returns:
        That of this version; without one, the latest of another, which training ignores, with a note; None when
        there is none at all.
    """
    other = None
    for state in candidates:
        if is_current(state, backend):
            return state
        other = other or state
    return other
