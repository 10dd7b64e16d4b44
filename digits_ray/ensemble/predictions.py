"""What comes back from any model, wherever it was trained."""

from dataclasses import dataclass, field

import numpy as np

from digits_ray.error_cause import ErrorCause


def member_name(member_id: int) -> str:
    """Returns a member's name on the leaderboard and in its `Prediction`."""
    return f"member-{member_id:03d}"


def label_proba(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the probability of each row's own class, (rows,).

    Args:
        proba: (rows, classes).
        labels: (rows,) int.
    """
    return proba[np.arange(len(labels)), labels]


@dataclass(frozen=True)
class Prediction:
    """Class probabilities of one model, each row carrying its id.

    Row ids are positions in the file that the rows came from, from 0; row order is never trusted.
    """

    model_id: str
    holdout_row_ids: np.ndarray  # (holdout_rows,) int64; none of them was trained on by this model
    holdout_proba: np.ndarray  # (holdout_rows, classes) float32, rows sum to 1
    test_row_ids: np.ndarray  # (test_rows,) int64
    test_proba: np.ndarray  # (test_rows, classes) float32, rows sum to 1


@dataclass(frozen=True)
class MemberResult:
    """One trained member: its predictions and everything worth keeping of its training."""

    member_id: int
    prediction: Prediction
    history: list[dict[str, float]]  # one entry an epoch: loss, accuracy, learning_rate, seconds, …
    model_file: bytes  # a .keras archive that takes raw uint8 images
    fit_seconds: float  # of all epochs, those of earlier attempts that were resumed from included
    images_per_second: float  # training throughput of this attempt
    precision: str  # "float32" or "mixed_bfloat16"
    device: str  # "cpu" or the name of the GPU
    attempts: int = 1
    start_epoch: int = 0  # the epoch that this attempt resumed from
    notes: tuple[str, ...] = ()  # what went wrong without stopping the training, e.g. an epoch that was not saved


@dataclass(frozen=True)
class MemberFailure:
    """A member that was given up, as text: never a pickled foreign exception."""

    member_id: int
    error_type: str
    message: str
    attempts: int
    details: str = field(default="", repr=False)  # the traceback's text
    lost: bool = False  # its process or node died or fell silent; no error of its own
    origin: str = ""  # the line of the user's or our code that raised it: "my_network.py:12, in layers"

    @property
    def reason(self) -> str:
        """The error with its message and where it was raised, on one line."""
        return str(ErrorCause(self.error_type, self.message, self.origin))
