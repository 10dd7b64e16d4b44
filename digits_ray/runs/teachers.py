"""The members of a run that a distilled network learns from, and what they teach it."""

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from digits_ray.config import Config, MemberSpec, member_specs
from digits_ray.data import TRAIN_ONLY
from digits_ray.errors import UserError
from digits_ray.runs.finished_run import Run
from digits_ray.runs.inputs import RunInputs
from digits_ray.storage import RunDirectory, layout, spec_hash

SCORED_FOLD = 0  # whose rows score the distilled network; so only members that held them out may teach it

# Of the teachers' probabilities in what is learnt; the label has the rest. Hinton, Vinyals & Dean 2015
# (arXiv:1503.02531), section 2, also let the labels count; docs/distillation.md has what was measured.
TEACHERS_WEIGHT = 0.5


@dataclass(frozen=True)
class Teachers:
    """Those finished members of a run that never saw the rows by which the distilled network is scored."""

    specs: tuple[MemberSpec, ...]  # by id
    config: Config  # of their run
    finished: int  # members of the run, those that do not teach included
    refitted: bool  # whether some of the run's members were trained once more on all labelled rows

    @classmethod
    def of(cls, run: Run) -> "Teachers":
        """Returns the teachers that a run has.

        Raises:
            UserError: none is finished, or the run is a distilled network itself.
        """
        if run.config.members.teachers:
            raise UserError(
                f"{run.path}: a network that was distilled. Give the directory of the run that it has learnt from."
            )
        finished = set(run.member_ids)
        specs = [spec for spec in member_specs(run.config) if spec.member_id in finished and spec.fold == SCORED_FOLD]
        if not specs:
            raise UserError(
                f"{run.path}: no member that could teach is finished. Run the same `digits-ray run` command again."
            )
        return cls(tuple(specs), run.config, len(finished), bool(run.refitted))

    @property
    def member_ids(self) -> list[int]:
        """The members that teach, by id."""
        return [spec.member_id for spec in self.specs]

    @property
    def sha256(self) -> str:
        """What identifies them: another recipe, seed, split or number of members is another."""
        return hashlib.sha256("\n".join(map(spec_hash, self.specs)).encode()).hexdigest()

    @property
    def reason(self) -> str:
        """Which members teach and why, and what scores the network."""
        split, count = self.config.split, len(self.specs)
        if split.scheme == "none":
            return (
                f"{_members(count)} taught. No rows were held out (split.scheme: none), so neither they nor the "
                "distilled network can be scored."
            )
        if split.scheme == "kfold":
            return (
                f"{count} of {_members(self.finished)} taught: those that held out fold {SCORED_FOLD}, whose rows score"
                " the distilled network. The others were trained on these rows."
            )
        refits = " Refits did not: they were trained on these rows." * self.refitted
        return f"{_members(count)} taught: none saw the held-out rows, which score the distilled network.{refits}"


def _members(count: int) -> str:
    return "1 member" if count == 1 else f"{count} members"


def student_folds(folds: np.ndarray) -> np.ndarray:
    """Returns the folds of a run's rows as the distilled network has them: one fold scores, the others train.

    Args:
        folds: (labelled rows,) int16, from `data.split`.

    Returns:
        (labelled rows,) int16.
    """
    return np.where(folds == SCORED_FOLD, folds, np.int16(TRAIN_ONLY))


def taught_rows(inputs: RunInputs) -> np.ndarray:
    """Returns the labelled rows that the distilled network trains on, (taught rows,) int64."""
    return np.flatnonzero(inputs.folds != SCORED_FOLD)


def read_lessons(directory: RunDirectory, inputs: RunInputs) -> np.ndarray | None:
    """Returns the teachers' mean probabilities of the taught rows, (taught rows, classes) float32.

    None where they are not there, or of other rows.
    """
    arrays = directory.read_arrays(layout.TEACHERS)
    if arrays is None or not np.array_equal(arrays["row_ids"], taught_rows(inputs)):
        return None
    return arrays["proba"]


def write_lessons(directory: RunDirectory, inputs: RunInputs, proba: np.ndarray) -> None:
    """Writes the teachers' mean probabilities, so that a network that is resumed goes on learning the very same.

    Args:
        directory: Of the distilled network.
        inputs: Of it.
        proba: (taught rows, classes) float32, rows sum to 1.
    """
    file = BytesIO()
    np.savez(file, row_ids=taught_rows(inputs), proba=proba)
    directory.store.write(layout.TEACHERS, file.getvalue())


def soft_labels(inputs: RunInputs, proba: np.ndarray) -> np.ndarray:
    """Mixes labels and the teachers' probabilities.

    With the cross-entropy, learning the mixture is learning both by these weights: the loss is linear in its target.

    Args:
        inputs: Of the distilled network.
        proba: (taught rows, classes) float32, rows sum to 1.

    Returns:
        (rows, classes) float32 of all rows, the test rows included, whose entry nothing reads.
    """
    data, taught = inputs.data, taught_rows(inputs)
    mixed = np.zeros((len(data.labels) + len(data.test_images), len(data.classes)), np.float32)
    mixed[np.arange(len(data.labels)), data.labels] = 1.0
    mixed[taught] = TEACHERS_WEIGHT * proba + (1 - TEACHERS_WEIGHT) * mixed[taught]
    return mixed
