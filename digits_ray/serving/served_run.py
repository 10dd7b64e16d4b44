"""The ensemble of a run directory, ready to vote: what a model replica holds."""

from dataclasses import dataclass, replace

import numpy as np

from digits_ray.config import member_specs
from digits_ray.data import DrawingForm, measure_form
from digits_ray.errors import UserError
from digits_ray.runs import Run, held_out, load_run
from digits_ray.serving.settings import MOST_IMAGES
from digits_ray.storage import RunDirectory, layout

SET_LEVELS = (0.99, 0.95, 0.9)  # of the page's prediction sets: the first that the held-out rows suffice for


@dataclass(frozen=True)
class RunFacts:
    """What a client may want to know of the run."""

    name: str  # the last part of its path
    classes: tuple[str | int, ...]
    image_shape: tuple[int, ...]  # (height, width) or (height, width, 3)
    members: tuple[int, ...]  # ids
    accuracy: float | None  # of the ensemble on held-out rows
    held_out_rows: int
    form: DrawingForm
    set_level: float | None  # of the sets that the page asks for; None: no held-out rows can calibrate any


@dataclass(frozen=True, eq=False)
class Votes:
    """What the members say of some images."""

    proba: np.ndarray  # (members, rows, classes) float32
    facts: RunFacts  # of the run that votes
    sets: np.ndarray | None  # (rows, classes) bool, where they were asked for

    def rows(self, start: int, stop: int) -> "Votes":
        """Returns those of some of the images."""
        sets = None if self.sets is None else self.sets[start:stop]
        return replace(self, proba=self.proba[:, start:stop], sets=sets)


class ServedRun:
    """A run's members as one compiled program, compiled."""

    def __init__(self, run_dir: str) -> None:
        """Loads and compiles it.

        Raises:
            UserError: there is no such run, or no member to predict with.
        """
        self._run = load_run(run_dir)
        self.facts = _facts(self._run, run_dir)
        self._folds = _folds(self._run)
        self._run.program.warm_up(MOST_IMAGES)

    def votes(self, images: np.ndarray) -> Votes:
        """Returns the members' votes, without sets.

        Args:
            images: (rows, height, width[, 3]) uint8.
        """
        return Votes(self._run.program.member_proba(images), self.facts, None)

    def with_sets(self, votes: Votes, level: float) -> Votes:
        """Returns the votes with the prediction sets of this level.

        Raises:
            UserError: no rows were held out, or too few for the level.
        """
        of_folds = np.stack([votes.proba[self._folds == fold].mean(axis=0) for fold in np.unique(self._folds)])
        mean = votes.proba.mean(axis=0, dtype=np.float64).astype(np.float32)
        return replace(votes, sets=self._run.held_out.prediction_sets(held_out.Votes(mean, of_folds), level))


def _facts(run: Run, run_dir: str) -> RunFacts:
    directory = RunDirectory.existing(run_dir)
    holdout = (run.metrics.get("ensemble") or {}).get("holdout") or {}
    run.check_members()
    return RunFacts(
        name=run.path.rstrip("/").rpartition("/")[2],
        classes=run.classes,
        image_shape=run.image_shape,
        members=tuple(run.member_ids),
        accuracy=holdout.get("accuracy"),
        held_out_rows=holdout.get("rows", 0),
        form=drawing_form(directory),
        set_level=_set_level(run),
    )


def drawing_form(directory: RunDirectory) -> DrawingForm:
    """Returns the form of a run's training images: measured on the report's sample where the run is of before it was.

    Raises:
        UserError: neither drawing.json nor dataset.npz can be read.
    """
    written = directory.read_json(layout.DRAWING)
    if written is not None:
        return DrawingForm.from_json(written)
    sample = directory.read_arrays(layout.DATASET)
    if sample is None:
        path = directory.store.path_of(layout.DATASET)
        raise UserError(f"{path}: missing or damaged. Run the same `digits-ray run` again: it writes it anew.")
    return measure_form(sample["sample_images"])


def _folds(run: Run) -> np.ndarray:
    """Returns the fold that each member held out, (members,); one for all where they were refitted on all rows."""
    specs = [spec for spec in member_specs(run.config) if spec.member_id in run.member_ids]
    return np.array([0 if run.refitted else spec.fold for spec in specs])


def _set_level(run: Run) -> float | None:
    for level in SET_LEVELS:
        try:
            run.held_out.check_level(level)
            return level
        except UserError:
            continue
    return None
