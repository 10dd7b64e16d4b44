"""What a replica of the model holds: the votes, the facts of the run, and the form of its training images."""

from pathlib import Path

import numpy as np
import pytest
from report_runs import make_run

from digits_ray.data import DrawingForm
from digits_ray.errors import UserError
from digits_ray.runs import held_out
from digits_ray.serving.served_run import ServedRun, Votes, drawing_form
from digits_ray.storage import RunDirectory


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three members, in three folds."""
    folder = tmp_path_factory.mktemp("served") / "run"
    make_run(folder, models=True, baselines=False, split__scheme="kfold", split__folds=3)
    return folder


@pytest.fixture(scope="module")
def served(run_dir: Path) -> ServedRun:
    return ServedRun(str(run_dir))


def test_the_facts_are_those_of_the_run(served: ServedRun) -> None:
    facts = served.facts
    assert (facts.name, facts.classes, facts.image_shape, facts.members) == ("run", (0, 1, 2, 3), (8, 8), (0, 1, 2))
    assert facts.held_out_rows == 240
    assert facts.accuracy is not None


def test_every_member_votes_on_every_image(served: ServedRun) -> None:
    votes = served.votes(np.zeros((5, 8, 8), np.uint8))
    assert votes.proba.shape == (3, 5, 4)
    assert np.allclose(votes.proba.sum(axis=2), 1, atol=1e-5)
    assert votes.rows(1, 3).proba.shape == (3, 2, 4)


class HeldOut:
    """Held-out rows that put into a set what the members of the first fold say at all."""

    def prediction_sets(self, votes: held_out.Votes, level: float) -> np.ndarray:
        assert np.allclose(votes.of_folds.mean(axis=0), votes.proba)
        return votes.of_folds[0] > 1 - level


def test_sets_are_made_of_the_votes_of_each_fold(served: ServedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(served._run), "held_out", HeldOut())  # what the property keeps
    proba = np.array([[[0.7, 0.3, 0, 0]], [[0, 1, 0, 0]], [[0, 0, 1, 0]]], np.float32)
    sets = served.with_sets(Votes(proba, served.facts, None), 0.9).sets
    assert sets is not None
    assert sets.tolist() == [[True, True, False, False]]


def test_the_form_of_drawings_is_read_and_measured_on_the_report_s_sample_where_it_was_not_written(
    run_dir: Path,
) -> None:
    directory = RunDirectory.existing(str(run_dir))
    written = run_dir / "drawing.json"
    form = drawing_form(directory)
    assert isinstance(form, DrawingForm)
    content = written.read_bytes()
    written.unlink()
    try:
        measured = drawing_form(directory)
    finally:
        written.write_bytes(content)
    assert (measured.height, measured.width, measured.background) == (8, 8, pytest.approx(form.background, abs=10))


def test_a_run_whose_images_are_unknown_says_what_to_do(tmp_path: Path) -> None:
    make_run(tmp_path / "run", models=False)
    for name in ("drawing.json", "dataset.npz"):
        (tmp_path / "run" / name).unlink()
    with pytest.raises(UserError, match=r"dataset\.npz: missing or damaged"):
        drawing_form(RunDirectory.existing(str(tmp_path / "run")))
