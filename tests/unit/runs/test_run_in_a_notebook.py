"""What a notebook shows of a finished run: tables and figures."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from report_runs import make_run

from digits_ray import Augmentation, Run, UserError, augment, load_run

MEMBERS, EPOCHS, CLASSES = 3, 4, 4
FIGURES = (
    "class_counts", "samples", "mean_images", "colour_maps", "pixel_values", "training", "training_of_each",
    "training_and_holdout", "confusion", "ensemble_size", "agreement", "reliability", "votes",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(make_run(tmp_path_factory.mktemp("runs") / "run"))


def test_the_history_has_a_row_for_each_member_and_epoch(run: Run) -> None:
    history = run.history()
    assert list(history.columns[:2]) == ["member", "epoch"]
    assert [*zip(history.member, history.epoch, strict=True)] == [
        (member, epoch) for member in range(MEMBERS) for epoch in range(1, EPOCHS + 1)
    ]
    assert history.loss[0] > history.loss[3]


def test_the_leaderboard_has_numbers_and_the_best_first(run: Run) -> None:
    leaderboard = run.leaderboard()
    assert set(leaderboard.model) >= {"ensemble", "member-000", "member-001"}
    assert leaderboard.accuracy.is_monotonic_decreasing


def test_trials_are_a_table_of_the_search(run: Run) -> None:
    trials = run.trials("knn")
    assert trials.n_neighbors.tolist()[:3] == [1, 1, 1]
    assert trials.accuracy.dtype == float
    with pytest.raises(UserError, match="no finished search of 'svm'"):
        run.trials("svm")


@pytest.mark.parametrize("model", ["ensemble", 1])
def test_a_confusion_matrix_counts_the_rows_that_were_held_out(run: Run, model: str | int) -> None:
    scores = run.metrics["ensemble" if model == "ensemble" else "members"]
    scores = scores["holdout"] if model == "ensemble" else scores[1]["holdout"]
    matrix = run.confusion(model)
    assert matrix.shape == (CLASSES, CLASSES)
    assert (matrix.index.name, matrix.columns.name) == ("label", "predicted")
    assert matrix.to_numpy().sum() == scores["rows"]
    assert np.trace(matrix.to_numpy()) / scores["rows"] == pytest.approx(scores["accuracy"])


def test_a_search_s_best_has_a_confusion_matrix_too(run: Run) -> None:
    assert run.confusion("knn").to_numpy().sum() == run.confusion().to_numpy().sum()
    assert not run.confusion("knn").equals(run.confusion())


def test_a_model_that_is_not_there_is_named(run: Run) -> None:
    with pytest.raises(UserError, match=r"no model 'ensembel'\. Did you mean 'ensemble'"):
        run.confusion("ensembel")
    with pytest.raises(UserError, match="member 7 is not finished"):
        run.model(7)


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_can_be_had_by_itself(run: Run, name: str, tmp_path: Path) -> None:
    figure = getattr(run.plot, name)()
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 2000


def test_a_search_is_drawn_by_its_name(run: Run) -> None:
    assert isinstance(run.plot.search("forest"), Figure)
    with pytest.raises(UserError, match=r"no 'forrest'\. Did you mean 'forest'"):
        run.plot.search("forrest")


def test_what_a_run_does_not_have_is_said(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "run", models=False, baselines=False, split__scheme="none"))
    with pytest.raises(UserError, match="no held-out rows"):
        run.confusion()
    with pytest.raises(UserError, match="no held-out rows"):
        run.plot.reliability()
    with pytest.raises(UserError, match="no finished search of knn"):
        run.plot.search("knn")


def test_feature_maps_are_those_of_the_layers_that_have_a_height_and_a_width(run: Run) -> None:
    image = np.full((8, 8), 255, np.uint8)
    maps = run.feature_maps(image, 2)
    assert {name: values.shape for name, values in maps.items() if name in ("first", "second")} == {
        "first": (4, 4, 8),
        "second": (4, 4, 20),
    }
    assert "probabilities" not in maps
    first = run.model(2).get_layer("compact").get_layer("first")
    expected = np.maximum(np.asarray(first.kernel).sum((0, 1, 2)) + np.asarray(first.bias), 0)
    assert np.allclose(maps["first"][1, 1], expected, atol=1e-5)  # of ones, away from the border


def test_augmented_images_differ_by_seed_and_are_the_same_for_one() -> None:
    images = np.zeros((5, 12, 12), np.uint8)
    images[:, 4:8, 4:8] = 255
    one, again, other = (augment(images, Augmentation(rotation=30), seed) for seed in (1, 1, 2))
    assert one.shape == images.shape
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])
    assert np.array_equal(augment(images, Augmentation(0, 0, 0)), images)
