"""What is written of new images beside their labels."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from digits_ray.config import SubmissionConfig
from digits_ray.errors import UserError
from digits_ray.runs.decisions import DecisionOptions, decide
from digits_ray.runs.held_out import HeldOutRows, Votes

CLASSES = (7, "a|b", 'say "x"')
PROBA = np.array([[0.98, 0.01, 0.01], [0.4, 0.35, 0.25], [0.1, 0.2, 0.7]], np.float32)


def run_of(confidence: list[float], right: list[bool]) -> Any:
    """A run whose held-out rows are of the first class, or of the second where the ensemble is wrong."""
    rest = [(1 - p) / 2 for p in confidence]
    proba = np.array([[p, q, q] for p, q in zip(confidence, rest, strict=True)], np.float32)
    labels, folds = np.where(right, 0, 1), np.zeros(len(right), np.int16)
    votes = Votes(PROBA, PROBA[None])
    return SimpleNamespace(
        classes=CLASSES,
        held_out=HeldOutRows(proba, labels, folds, by_those_that_predict=True),
        predict=lambda images, **how: [7, 7, 'say "x"'],
        votes=lambda images, **how: votes,
    )


SURE = run_of([0.9] * 200 + [0.4] * 20, [True] * 200 + [False] * 20)


def test_without_options_there_are_labels_alone() -> None:
    decisions = decide(SURE, None, DecisionOptions())
    assert (decisions.labels, decisions.columns, decisions.notes) == ([7, 7, 'say "x"'], {}, ())


def test_probabilities_have_a_column_a_class_and_lose_nothing() -> None:
    columns = decide(SURE, None, DecisionOptions(proba=True)).columns
    assert list(columns) == ["proba_7", "proba_a|b", 'proba_say "x"']
    read = np.array([[np.float32(text) for text in column] for column in columns.values()]).T
    assert (read == PROBA).all()
    assert columns["proba_7"][0] == "0.98"


def test_sets_are_lists_of_labels_that_read_back_whatever_the_labels_hold() -> None:
    run = run_of([0.35] * 220, [True] * 220)
    decisions = decide(run, None, DecisionOptions(sets=0.95))
    assert [json.loads(text) for text in decisions.columns["set"]] == [[7], [7, "a|b"], ['say "x"']]
    (note,) = decisions.notes
    assert note.startswith("Sets: 1.33 classes on average; true class in it: at least 95 % (split conformal")


def test_labels_below_the_confidence_are_blank() -> None:
    decisions = decide(SURE, None, DecisionOptions(abstain=0.98))
    assert decisions.labels == [7, "", ""]
    assert decisions.notes == ("Blank: 2 of 3 labels, below confidence 0.9 (200 of 200 held-out rows right).",)


def test_a_confidence_exactly_at_the_threshold_is_enough() -> None:
    run = run_of([float(PROBA[2].max())] * 300, [True] * 300)
    assert decide(run, None, DecisionOptions(abstain=0.99)).labels == [7, "", 'say "x"']


def test_all_can_be_asked_for_together() -> None:
    decisions = decide(SURE, None, DecisionOptions(proba=True, sets=0.9, abstain=0.98))
    assert list(decisions.columns) == ["proba_7", "proba_a|b", 'proba_say "x"', "set"]
    assert len(decisions.notes) == 2 and decisions.labels == [7, "", ""]


def test_where_other_networks_vote_the_blanks_are_called_approximate() -> None:
    run = run_of([0.9] * 300, [True] * 300)
    run.held_out = HeldOutRows(run.held_out.proba, run.held_out.labels, np.arange(300) % 3, by_those_that_predict=True)
    assert (
        "approximately, as fewer or other networks voted on them"
        in decide(run, None, DecisionOptions(abstain=0.98)).notes[0]
    )


def test_the_table_has_the_file_s_ids_and_what_was_asked_for_behind_the_labels() -> None:
    decisions = decide(SURE, None, DecisionOptions(sets=0.9, abstain=0.98))
    file = SimpleNamespace(ids=pa.array(["a.png", "b.png", "c.png"]), id_column="file")
    header, *lines = decisions.to_csv(SubmissionConfig(), file).decode().splitlines()  # type: ignore[arg-type]
    assert header == "file,Label,set"
    assert [line.split(",")[:2] for line in lines] == [["a.png", "7"], ["b.png", ""], ["c.png", ""]]


def test_rows_without_ids_are_numbered_under_the_names_of_the_settings() -> None:
    file = SimpleNamespace(ids=None, id_column=None)
    table = decide(SURE, None, DecisionOptions()).to_csv(SubmissionConfig("row", "digit"), file)  # type: ignore[arg-type]
    assert table.decode().splitlines()[:2] == ["row,digit", "1,7"]


@pytest.mark.parametrize("options", [DecisionOptions(sets=0.9999), DecisionOptions(abstain=0.9999)])
def test_what_the_held_out_rows_cannot_give_is_refused(options: DecisionOptions) -> None:
    with pytest.raises(UserError):
        options.check(SURE)
