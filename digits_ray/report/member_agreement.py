"""How often each pair of members gives the same class."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from digits_ray.report import statistics
from digits_ray.report.run_contents import RunContents

ROWS_TEXT = {"test": "test rows", "holdout": "held-out rows"}


@dataclass(frozen=True)
class MemberAgreement:
    """The agreement of the members that the page shows: on test rows, or without them on held-out rows."""

    part: Literal["test", "holdout"]
    rows: int
    members: list[str]  # ids
    percentages: np.ndarray  # (members, members), of rows that both scored; NaN where there are none

    @property
    def of_pairs(self) -> np.ndarray:
        """(pairs,) what is known beside the diagonal."""
        pairs = self.percentages[~np.eye(len(self.percentages), dtype=bool)]
        return pairs[np.isfinite(pairs)] if np.isfinite(pairs).any() else np.array([100.0])

    @property
    def text(self) -> str:
        """The range over all pairs in a sentence, or the only pair's."""
        low, high = self.of_pairs.min(), self.of_pairs.max()
        span = f"{low:.2f}" if len(self.members) == 2 else f"{low:.2f} to {high:.2f}"
        members = "The two members" if len(self.members) == 2 else "Two members"
        return (
            f"{members} give the same class to {span} % of {self.rows:,} {ROWS_TEXT[self.part]}. "
            "The less they agree, the more a vote can gain."
        )


def agreement_of_members(run: RunContents) -> MemberAgreement:
    """Compares the members of a run that has its ensemble."""
    assert run.ensemble is not None
    part: Literal["test", "holdout"] = "test" if len(run.ensemble["test_row_ids"]) else "holdout"
    row_ids = run.ensemble[f"{part}_row_ids"]
    predictions = (prediction for member in run.shown_members if (prediction := member.prediction))
    tops = np.array([statistics.top_classes(prediction, row_ids, part) for prediction in predictions])
    members = [str(member.spec.member_id) for member in run.shown_members]
    return MemberAgreement(part, len(row_ids), members, 100 * statistics.agreement(tops))
