"""An audit of labels: rows whose label the ensemble contradicts, as label_issues.csv."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np

from digits_ray.ensemble import hard_cases

COLUMNS = ("row", "label", "predicted", "confidence", "label_probability", "agreement", "likely_wrong_label")


@dataclass(frozen=True)
class LabelIssue:
    """A row whose label is not the class that the models of which it was held out predict."""

    row_id: int
    label: int  # index into the classes
    predicted: int  # index into the classes
    confidence: float  # probability of the predicted class
    label_probability: float  # of the class that the label names
    agreement: float | None  # part of the models that predict the same class, 0 … 1; None: one model scored each row
    is_likely_wrong: bool  # by confident learning; see `hard_cases.likely_wrong_labels`


def label_issues(
    row_ids: np.ndarray, proba: np.ndarray, disagreement: np.ndarray | None, labels: np.ndarray
) -> list[LabelIssue]:
    """Finds the rows whose label the ensemble contradicts, the most certain first.

    Args:
        row_ids: (rows,) int64.
        proba: (rows, classes), of models that never saw the rows.
        disagreement: (rows,) part of the models whose top class is not the ensemble's, 0 … 1; None where one model
            scored each row.
        labels: (rows,) int.
    """
    if len(labels) == 0:
        return []
    likely_wrong = set(hard_cases.likely_wrong_labels(proba, labels, len(labels)).tolist())
    return [
        LabelIssue(
            row_id=int(row_ids[position]),
            label=int(labels[position]),
            predicted=int(proba[position].argmax()),
            confidence=float(proba[position].max()),
            label_probability=float(proba[position, labels[position]]),
            agreement=None if disagreement is None else float(1 - disagreement[position]),
            is_likely_wrong=position in likely_wrong,
        )
        for position in hard_cases.confident_mistakes(proba, labels, len(labels)).tolist()
    ]


def label_issues_csv(
    issues: Sequence[LabelIssue], classes: Sequence[str | int], row_number: Callable[[int], int]
) -> str:
    """Returns the issues as CSV text, a line each under COLUMNS.

    Args:
        issues: In the order of the lines.
        classes: The original labels, in the order of the probabilities' columns.
        row_number: Gives the number of a row in its own file, from 1, by its id.
    """
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for issue in issues:
        numbers = (issue.confidence, issue.label_probability, issue.agreement)
        names = [row_number(issue.row_id), classes[issue.label], classes[issue.predicted]]
        cells = ["" if number is None else f"{number:.6f}" for number in numbers]
        table.writerow([*names, *cells, str(issue.is_likely_wrong).lower()])
    return text.getvalue()
