"""What `digits-ray predict` writes of new images: labels, and what it takes to decide on them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.config import SubmissionConfig
from digits_ray.data import ImageFile
from digits_ray.ensemble import labels_of, submission

if TYPE_CHECKING:
    from digits_ray.runs.finished_run import Run

SET_COLUMN = "set"
BLANK = ""


@dataclass(frozen=True)
class DecisionOptions:
    """What is asked for beside a label for each image."""

    proba: bool = False  # the probability of each class
    sets: float | None = None  # prediction sets of this level
    abstain: float | None = None  # no label where it is too uncertain for this accuracy

    def check(self, run: "Run") -> None:
        """Raises UserError where the run's held-out rows cannot give what is asked for."""
        if self.sets is not None:
            run.held_out.check_level(self.sets)
        if self.abstain is not None:
            run.held_out.lowest_acceptance(self.abstain)


@dataclass(frozen=True)
class Decisions:
    """What is written of new images."""

    labels: list[str | int]  # (rows,); BLANK where there is none
    columns: dict[str, list[str]] = field(default_factory=dict)  # (rows,) each, by name
    notes: tuple[str, ...] = ()  # for the terminal, a line each

    def to_csv(self, names: SubmissionConfig, file: ImageFile) -> bytes:
        """Returns a table of the images in their order.

        Args:
            names: Of the columns of ids and labels.
            file: That the images are from: its ids, or numbers from 1 where it has none, name the rows.
        """
        return submission.to_csv(
            np.arange(len(self.labels)),
            self.labels,
            len(self.labels),
            ids=None if file.ids is None else file.ids.to_pylist(),
            id_column=names.id_column or file.id_column,
            label_column=names.label_column,
            more_columns=self.columns,
        )


def decide(
    run: "Run",
    images: Any,
    options: DecisionOptions,
    *,
    address: str | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Decisions:
    """Labels images as `run.predict` does, and adds what is asked for.

    Args:
        run: The finished run.
        images: As for `run.predict`.
        options: What is asked for.
        address: As for `run.predict`.
        on_rows: As for `run.predict`.

    Raises:
        UserError: as for `run.predict`, and for `options.check`.
    """
    if options == DecisionOptions():
        return Decisions(run.predict(images, address=address, on_rows=on_rows))
    votes = run.votes(images, address=address, on_rows=on_rows)
    labels, notes = labels_of(votes.proba, run.classes), []
    columns: dict[str, list[str]] = {}
    if options.proba:
        columns |= _proba_columns(votes.proba, run.classes)
    if options.sets is not None:
        sets = run.held_out.prediction_sets(votes, options.sets)
        columns[SET_COLUMN] = _set_column(sets, run.classes)
        size = sets.sum(axis=1).mean()
        notes.append(f"Sets: {size:.3g} classes on average; true class in it: {run.held_out.guarantee(options.sets)}.")
    if options.abstain is not None:
        labels, note = _with_blanks(run, votes.proba, labels, options.abstain)
        notes.append(note)
    return Decisions(labels, columns, tuple(notes))


def _proba_columns(proba: np.ndarray, classes: tuple[str | int, ...]) -> dict[str, list[str]]:
    """Returns a column for each class; each number is the shortest text that reads as the same float32."""
    return {f"proba_{name}": column.astype(str).tolist() for name, column in zip(classes, proba.T, strict=True)}


def _set_column(sets: np.ndarray, classes: tuple[str | int, ...]) -> list[str]:
    """Returns each row's classes as a JSON list: labels may hold whatever else would separate them."""
    return [json.dumps([classes[one] for one in np.flatnonzero(row)], ensure_ascii=False) for row in sets]


def _with_blanks(
    run: "Run", proba: np.ndarray, labels: list[str | int], accuracy: float
) -> tuple[list[str | int], str]:
    """Returns the labels with those blank that are too uncertain, and a line that says so."""
    accepted = run.held_out.lowest_acceptance(accuracy)
    certain = proba.max(axis=1) >= accepted.confidence
    blank = len(labels) - int(certain.sum())
    shown = f"{accepted.correct:,} of {accepted.rows:,} held-out rows right"
    about = ", approximately, as fewer or other networks voted on them" * run.held_out.confidence_is_approximate
    note = f"Blank: {blank:,} of {len(labels):,} labels, below confidence {accepted.confidence:.6g} ({shown}{about})."
    return [label if sure else BLANK for label, sure in zip(labels, certain, strict=True)], note
