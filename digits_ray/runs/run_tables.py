"""What a run directory holds, as tables for a notebook."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from digits_ray.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from digits_ray.report.run_contents import BaselineContents, MemberContents, RunContents

ENSEMBLE = "ensemble"


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """A model's top classes of the rows that it never saw in training."""

    top: np.ndarray  # (rows,) int
    labels: np.ndarray  # (rows,) int


def history_table(contents: "RunContents") -> "pd.DataFrame":
    """Returns the histories of all finished members, a row an epoch; see `Run.history`."""
    import pandas as pd

    members = contents.finished_members
    rows = [{"member": member.spec.member_id, **entry} for member in members for entry in member.history]
    table = pd.DataFrame(rows, columns=["member", "epoch"] if not rows else None)
    return table.astype({"member": int, "epoch": int})


def leaderboard_table(contents: "RunContents") -> "pd.DataFrame":
    """Returns leaderboard.csv; see `Run.leaderboard`."""
    return _table(contents.leaderboard)


def trials_table(contents: "RunContents", kind: str) -> "pd.DataFrame":
    """Returns the trials of a search; see `Run.trials`."""
    trials = {baseline.name: baseline.trials for baseline in contents.baselines}
    if kind not in trials:
        raise UserError(f"{contents.directory.store.uri}: no finished search of {kind!r}.")
    return _table(trials[kind])


def confusion_table(contents: "RunContents", model: str | int) -> "pd.DataFrame":
    """Returns the confusion matrix of a model; see `Run.confusion`."""
    import pandas as pd

    scored, classes = scored_rows(contents, model), contents.data["classes"]
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (scored.labels, scored.top), 1)
    names = {"index": pd.Index(classes, name="label"), "columns": pd.Index(classes, name="predicted")}
    return pd.DataFrame(matrix, **names)


def scored_rows(contents: "RunContents", model: str | int) -> ScoredRows:
    """Returns a model's top classes of the rows that it never saw, and their true classes.

    Args:
        contents: Of the run.
        model: "ensemble", a member's number, or "knn", "tree" or "forest".

    Raises:
        UserError: there is no such model, or it scored no rows.
    """
    row_ids, proba = _holdout_of(contents, model)
    if contents.dataset is None or len(row_ids) == 0:
        raise UserError(f"{contents.directory.store.uri}: no held-out rows, as split.scheme is none.")
    return ScoredRows(proba.argmax(axis=1), contents.dataset["labels"][row_ids])


def _holdout_of(contents: "RunContents", model: str | int) -> tuple[np.ndarray, np.ndarray]:
    if model == ENSEMBLE and contents.ensemble is not None:
        return contents.ensemble["holdout_row_ids"], contents.ensemble["holdout_proba"]
    models: dict[str, MemberContents | BaselineContents] = {
        **{str(member.spec.member_id): member for member in contents.finished_members},
        **{baseline.name: baseline for baseline in contents.baselines},
    }
    prediction = models[str(model)].prediction if str(model) in models else None
    if prediction is None:
        raise UserError(f"no model {model!r}. {nearest(str(model), [ENSEMBLE, *models])}")
    return prediction.holdout_row_ids, prediction.holdout_proba


def _table(rows: list[dict[str, str]]) -> "pd.DataFrame":
    """Returns rows of text as a table with numbers where all values of a column are numbers."""
    import pandas as pd

    table = pd.DataFrame(rows)
    for column in table:
        numbers = pd.to_numeric(table[column], errors="coerce")
        if (numbers.notna() | (table[column] == "")).all():
            table[column] = numbers
    return table
