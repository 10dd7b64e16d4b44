"""What held-out rows tell of new images: prediction sets of a finished run, and how sure they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_runs import unpacked
from report_runs import arrays_of, invented_proba, make_run

from digits_ray import UserError, load_run
from digits_ray.ensemble import labels_of
from digits_ray.runs.finished_run import Run
from digits_ray.storage.file_formats import parse_prediction

FOLDS: dict[str, Any] = {"split__scheme": "kfold", "split__folds": 3}
SEED = 17


def invented_vote(run: Run, member_ids: list[int], images: np.ndarray, *_: Any) -> np.ndarray:
    """Members that predict the class that an image's first pixel names, each with an error of its own."""
    labels = images[:, 0, 0].astype(int)
    return np.mean([invented_proba(labels, 4, 1.2, SEED + number) for number in member_ids], axis=0)


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Run:
    """A finished run of invented members, which also predict new images."""
    run = load_run(make_run(folder / "run", models=False, baselines=False, **settings))
    monkeypatch.setattr(Run, "_mean_proba", invented_vote)
    return run


def images_showing(labels: np.ndarray) -> np.ndarray:
    images = np.zeros((len(labels), 8, 8), np.uint8)
    images[:, 0, 0] = labels
    return images


NEW_LABELS = np.arange(400) % 4
NEW_IMAGES = images_showing(NEW_LABELS)


def test_the_rows_are_predicted_by_the_members_that_predict_new_images(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", models=False)
    rows, ensemble = load_run(path).held_out, arrays_of(Path(path, "ensemble.npz").read_bytes())
    dataset = arrays_of(Path(path, "dataset.npz").read_bytes())
    assert (rows.proba == ensemble["holdout_proba"]).all()
    assert (rows.labels == dataset["labels"][ensemble["holdout_row_ids"]]).all()


def test_what_baselines_add_to_the_vote_counts_nothing_since_they_label_no_new_image(tmp_path: Path) -> None:
    path = Path(make_run(tmp_path / "run", models=False))
    before = load_run(path).held_out.proba
    (path / "ensemble.npz").unlink()
    assert (load_run(path).held_out.proba == before).all()


@pytest.mark.parametrize("settings", [{}, {"members": 3, **FOLDS}, {"members": 5, **FOLDS}, {"members": 2, **FOLDS}])
def test_sets_hold_the_label_that_is_predicted_and_the_true_one_often_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    run = loaded(tmp_path, monkeypatch, labelled=1200, **settings)
    for level in (0.8, 0.95):
        sets = run.prediction_sets(NEW_IMAGES, level)
        assert sets.shape == (400, 4) and sets.dtype == bool
        predicted = [run.classes.index(label) for label in run.predict(NEW_IMAGES)]
        assert sets[np.arange(400), predicted].all()
        assert sets[np.arange(400), NEW_LABELS].mean() >= level - 0.05


def test_the_vote_of_all_members_is_the_same_beside_those_of_the_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = loaded(tmp_path, monkeypatch, members=5, **FOLDS)  # two members, two, and one
    votes = run.votes(NEW_IMAGES)
    assert votes.proba == pytest.approx(run.predict_proba(NEW_IMAGES), abs=1e-6)
    assert votes.of_folds.shape == (3, 400, 4)
    models = [invented_vote(run, [number], NEW_IMAGES) for number in range(5)]
    assert votes.of_folds[1] == pytest.approx((models[1] + models[4]) / 2, abs=1e-7)
    assert votes.of_folds[2] == pytest.approx(models[2])


def test_folds_that_no_member_held_out_yet_calibrate_nothing(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "run", models=False, baselines=False, members=2, **FOLDS))
    assert set(run.held_out.folds) == {0, 1}
    assert "of 2 folds" in run.held_out.guarantee(0.9)


def test_one_image_has_one_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(tmp_path, monkeypatch).prediction_sets(NEW_IMAGES[0], 0.8).shape == (1, 4)


def test_what_is_guaranteed_is_said_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = load_run(make_run(tmp_path / "split", models=False, baselines=False)).held_out
    folds = load_run(make_run(tmp_path / "folds", models=False, baselines=False, **FOLDS)).held_out
    assert split.guarantee(0.9) == "at least 90 % (split conformal prediction, 24 held-out rows)"
    assert folds.guarantee(0.9) == "some 90 %, 78.52 % guaranteed (CV+, 240 held-out rows of 3 folds)"
    assert (split.confidence_is_approximate, folds.confidence_is_approximate) == (False, True)


@pytest.mark.parametrize("settings", [{}, FOLDS])
def test_networks_trained_on_all_rows_since_make_it_approximate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    run = loaded(tmp_path, monkeypatch, **settings)
    run.metrics["ensemble"]["refitted"] = [0]  # as a run writes it
    assert run.held_out.guarantee(0.9).startswith("approximately 90 %")
    assert run.held_out.confidence_is_approximate
    assert len(run.votes(NEW_IMAGES).of_folds) == 1, "they are of no fold"
    assert run.prediction_sets(NEW_IMAGES, 0.8).any(axis=1).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split__scheme": "none"}, r"no rows were held out \(split.scheme: none\)"),
        ({"finished": 0}, "no member is finished yet"),
    ],
)
def test_a_run_that_can_calibrate_nothing_says_why(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    path = make_run(tmp_path / "run", models=False, baselines=False, **settings)
    with pytest.raises(UserError, match=message):
        load_run(path).prediction_sets(NEW_IMAGES, 0.9)


def test_a_lost_file_of_labels_is_named_with_its_cure(tmp_path: Path) -> None:
    path = Path(make_run(tmp_path / "run", models=False, baselines=False))
    (path / "dataset.npz").unlink()
    with pytest.raises(UserError, match=r"dataset\.npz: missing or damaged; it holds the labels\. The same"):
        load_run(path).prediction_sets(NEW_IMAGES, 0.9)


def test_a_level_is_refused_before_any_model_is_opened(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "run", models=False, baselines=False))  # its models are none
    with pytest.raises(UserError, match=r"they take 99 held-out rows, and there are 24\. 0\.96 is the highest"):
        run.prediction_sets(NEW_IMAGES, 0.99)


def test_a_run_of_an_earlier_release_calibrates_too(tmp_path: Path) -> None:
    path = unpacked(tmp_path)
    rows = load_run(path).held_out
    prediction = parse_prediction((path / "members/000/predictions.npz").read_bytes())
    assert prediction is not None
    assert (rows.proba == prediction.holdout_proba[prediction.holdout_row_ids.argsort()]).all()
    agreeing = np.array(labels_of(rows.proba, range(10))) == rows.labels
    assert agreeing.mean() > 0.5
