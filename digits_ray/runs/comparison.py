"""Two runs compared on the rows that both scored."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits_ray.ensemble import PairedComparison, accuracy_ci95, compare_paired
from digits_ray.errors import UserError
from digits_ray.report.formatting import SIGNIFICANCE, p_value_text
from digits_ray.runs.finished_run import Run
from digits_ray.storage import RunDirectory, layout


@dataclass(frozen=True)
class ComparedRun:
    """One of two runs, on the rows that both scored."""

    run: str  # its directory, as it was given
    members: int  # that vote
    scored_rows: int  # in all
    correct: int  # of the rows that both scored
    accuracy: float  # on these
    accuracy_ci95: tuple[float, float]  # Wilson


@dataclass(frozen=True, kw_only=True)
class Comparison(PairedComparison):
    """The ensembles of two runs on the rows that both held out."""

    a: ComparedRun
    b: ComparedRun

    @property
    def conclusion(self) -> str:
        """What follows, in two sentences."""
        low, high = self.difference_ci95
        chance = f"McNemar's {p_value_text(self.p_value)}"
        if self.p_value >= SIGNIFICANCE:
            return (
                f"No difference is shown: one like this may well be chance ({chance}). {self.a.run} minus {self.b.run} "
                f"is {100 * low:+.2f} to {100 * high:+.2f} percentage points (95 % interval)."
            )
        better, other = (self.a, self.b) if self.difference > 0 else (self.b, self.a)
        if better is self.b:
            low, high = -high, -low
        return (
            f"{better.run} is more accurate than {other.run}: chance alone would hardly do this ({chance}). It gains "
            f"{100 * low:+.2f} to {100 * high:+.2f} percentage points (95 % interval)."
        )

    def to_json(self) -> dict[str, Any]:
        """Returns what `digits-ray compare --json` prints."""
        return {**asdict(self), "conclusion": self.conclusion}


@dataclass(frozen=True, eq=False)
class _ScoredRows:
    """What a run directory says of the rows that its ensemble scored."""

    path: str
    data: dict[str, Any]  # its fingerprints
    members: int
    row_ids: np.ndarray  # (rows,) int64, ascending: positions in the training file, or in that of the holdout
    correct: np.ndarray  # (rows,) bool

    @property
    def source(self) -> str:
        """The name of the fingerprint of the file that the rows came from."""
        return "holdout_sha256" if self.data["holdout_sha256"] else "train_sha256"


def compare(run_a: str | Path | Run, run_b: str | Path | Run) -> Comparison:
    """Compares the ensembles of two runs on the rows that both scored.

    Rows are matched by their ids, so the runs may have other splits, settings and members. With a split of the same
    labelled images, or with the same holdout, whatever each was trained on.

    Args:
        run_a: A run, or its `out`: a path or URI.
        run_b: Another's.

    Raises:
        UserError: one is no run, or has no ensemble with scored rows; or they scored no rows in common.
    """
    a, b = (_scored_rows(run.path if isinstance(run, Run) else str(run)) for run in (run_a, run_b))
    _refuse_other_data(a, b)
    ids, in_a, in_b = np.intersect1d(a.row_ids, b.row_ids, assume_unique=True, return_indices=True)
    if len(ids) == 0:
        raise UserError(
            f"{a.path} and {b.path} scored no row in common: {len(a.row_ids):,} and {len(b.row_ids):,} rows of other "
            "splits. Give both the same seed and split, split.scheme=kfold, or the same --holdout."
        )
    correct_a, correct_b = a.correct[in_a], b.correct[in_b]
    paired = compare_paired(correct_a, correct_b)
    return Comparison(a=_compared(a, correct_a), b=_compared(b, correct_b), **vars(paired))


def _compared(run: _ScoredRows, correct: np.ndarray) -> ComparedRun:
    right, rows = int(correct.sum()), len(correct)
    return ComparedRun(run.path, run.members, len(run.row_ids), right, right / rows, accuracy_ci95(right, rows))


def _scored_rows(path: str) -> _ScoredRows:
    directory = RunDirectory.existing(path)
    data, ensemble = directory.data(), directory.read_arrays(layout.ENSEMBLE)
    dataset = directory.read_arrays(layout.DATASET)
    if ensemble is None or dataset is None:
        name = layout.DATASET if ensemble is not None else layout.ENSEMBLE
        raise UserError(
            f"{path}: {name} is missing or damaged, so there is no ensemble to compare. The same `digits-ray run` "
            "writes it once a member is finished."
        )
    row_ids = ensemble["holdout_row_ids"]
    if len(row_ids) == 0:
        raise UserError(
            f"{path}: no rows were held out (split.scheme: none), so nothing is scored. Compare other runs."
        )
    correct = ensemble["holdout_proba"].argmax(axis=1) == dataset["labels"][row_ids]
    first = data["train_rows"] if data["holdout_sha256"] else 0  # the rows of a holdout come after those that train
    return _ScoredRows(path, data, len(ensemble["model_ids"]), row_ids - first, correct)


def _refuse_other_data(a: _ScoredRows, b: _ScoredRows) -> None:
    if a.source != b.source and a.data["train_sha256"] == b.data["train_sha256"]:
        raise UserError(
            f"{a.path} and {b.path} scored no row in common: one has a holdout of its own (data.holdout). Give both "
            "the same."
        )
    if a.source != b.source or a.data[a.source] != b.data[b.source]:
        raise UserError(
            f"{a.path} and {b.path} scored rows of different data ({a.source} is {str(a.data[a.source])[:12]}… and "
            f"{str(b.data[a.source])[:12]}…). Compare runs on the same labelled images or the same --holdout."
        )
