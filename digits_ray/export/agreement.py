"""Whether an exported file gives what its members give."""

from dataclasses import dataclass

import numpy as np

from digits_ray.errors import RunError

MAX_DIFFERENCE = 1e-3  # of a probability
MAX_TIE = 2e-3  # between the two best classes, for a label to change within that difference


@dataclass(frozen=True)
class Agreement:
    """How an exported file was checked in its own runtime."""

    rows: int
    largest_difference: float  # of a probability, to the members rebuilt in float32
    changed_labels: int  # against `predict`


def check_agreement(exported: np.ndarray, rebuilt: np.ndarray, predicted: np.ndarray, strict: bool) -> Agreement:
    """Compares probabilities.

    Args:
        exported: By the file in its own runtime, (rows, classes) float32.
        rebuilt: By the members in float32, (rows, classes) float32.
        predicted: By `predict` with the same members, (rows, classes) float32.
        strict: Whether labels have to be those of `predict`, too; not where that computes in bfloat16.

    Raises:
        RunError: the file gives other probabilities or labels.
    """
    if exported.shape != rebuilt.shape:
        raise RunError(f"the exported file gives {exported.shape} probabilities, its members {rebuilt.shape}.")
    difference = float(np.abs(exported - rebuilt).max())
    if not difference <= MAX_DIFFERENCE:  # NaN, too
        raise RunError(f"the exported file's probabilities differ by {difference:.1e} from its members'.")
    for name, proba in (("its members'", rebuilt), *((("predict's", predicted),) if strict else ())):
        wrong = changed_labels(exported, proba) & (_lead(proba) > MAX_TIE)
        if wrong.any():
            raise RunError(f"the exported file gives other labels than {name} on {wrong.sum()} of {len(wrong)} rows.")
    return Agreement(len(exported), difference, int(changed_labels(exported, predicted).sum()))


def changed_labels(proba: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns on which rows two give different labels: (rows,) bool, from (rows, classes) each."""
    return proba.argmax(axis=1) != other.argmax(axis=1)


def _lead(proba: np.ndarray) -> np.ndarray:
    """Returns by how much the best class leads: (rows,) from (rows, classes)."""
    second, best = np.sort(proba, axis=1)[:, -2:].T
    return best - second
