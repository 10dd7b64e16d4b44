"""What the report's figures show, beside the numbers behind them."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from report_runs import make_run

from digits_ray.report import draw_baselines, draw_cases, draw_ensemble, draw_members
from digits_ray.report.figure_files import figure_defaults, fix_layout, png_bytes
from digits_ray.report.missing import missing_from_ensemble
from digits_ray.report.run_contents import read_run
from digits_ray.report.search_curves import search_curves


def ticks(figure, which: str) -> np.ndarray:
    """The ticks of the figure's first axes that can be seen."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = getattr(axes, f"get_{which}lim")()
    values = getattr(axes, f"get_{which}ticks")()
    return values[(values >= low) & (values <= high)]


def test_no_accuracy_axis_goes_beyond_100_percent(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", skill=9.0, models=False, baselines=False))
    lines = [{"n_neighbors": str(k), "accuracy": "1.0"} for k in (1, 3)]
    leaf = [{"min_samples_leaf": "1", "accuracy": "1.0"}]
    knn, tree = search_curves("knn", lines), search_curves("tree", leaf)
    assert knn and tree
    labels = np.arange(4)
    pictures = [
        ("y", draw_baselines.trials("knn", knn)),
        ("x", draw_baselines.trials("tree", tree)),
        ("y", draw_ensemble.ensemble_size(run)),
        ("x", draw_ensemble.classes(labels, labels, list("abcd"))),
        ("x", draw_members.train_holdout(run.scored_members)),
    ]
    assert {picture.name: ticks(picture.figure, which).max() for which, picture in pictures} == {
        picture.name: 100 for _, picture in pictures
    }


def test_histories_without_an_accuracy_are_drawn_as_far_as_they_go(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", models=False, baselines=False))
    members = [
        replace(member, history=[{"loss": entry["loss"]} for entry in member.history] if number else [])
        for number, member in enumerate(run.members)
    ]
    names = [picture.name for picture in draw_members.figures(replace(run, members=members))]
    assert names == ["curves_loss", "curves_loss_each", "speed"]


@pytest.mark.parametrize(("scheme", "empty"), [("holdout", False), ("kfold", True)])
def test_empty_places_among_the_votes_are_explained_where_there_are_any(
    tmp_path: Path, scheme: str, empty: bool
) -> None:
    run = read_run(
        make_run(tmp_path / "run", members=10, models=False, baselines=False, split__scheme=scheme, split__folds=5)
    )
    captions = {picture.name: picture.caption for picture in draw_cases.figures(run)}
    assert ("empty place" in captions["disputed"]) == empty


def test_of_two_members_a_sentence_tells_how_often_they_agree_and_of_three_a_heat_map(tmp_path: Path) -> None:
    two, three = (
        read_run(make_run(tmp_path / str(members), members=members, models=False, baselines=False))
        for members in (2, 3)
    )
    (sentence,) = [text for text in missing_from_ensemble(two, "") if "same class" in text]
    assert re.fullmatch(r"The two members give the same class to \d+\.\d\d % of \d+ test rows\. The less .*", sentence)
    assert not [text for text in missing_from_ensemble(three, "") if "same class" in text]
    drawn = [{picture.name for picture in draw_ensemble.figures(run)} for run in (two, three)]
    assert ["agreement" in names for names in drawn] == [False, True]


def test_a_caption_s_verb_agrees_with_its_model() -> None:
    rows = np.arange(2)
    captions = [
        draw_ensemble.confusion("name", "title", model, rows, rows, ["a", "b"]).caption
        for model in ("The k nearest neighbours", "The ensemble")
    ]
    assert [caption.split(" wrong")[0] for caption in captions] == [
        "The k nearest neighbours are", "The ensemble is",
    ]  # fmt: skip


def test_the_winner_s_settings_are_in_the_legend_uncut() -> None:
    others = {"weights": "uniform", "metric": "euclidean", "deskew": "False", "pca": "50"}
    more = [
        {"n_neighbors": "1", "weights": w, "metric": m, "deskew": d, "pca": p, "accuracy": "0.5"}
        for w, m, d, p in product(("uniform", "distance"), ("euclidean", "cosine"), ("True", "False"), ("50", "0"))
    ]
    search = search_curves("knn", [{"n_neighbors": "3", **others, "accuracy": "0.9"}, *more])
    assert search
    legend = draw_baselines.trials("knn", search).figure.axes[0].get_legend()
    assert legend and legend.get_texts()[0].get_text() == "uniform, euclidean, no deskew, pca=50"


def test_curves_without_a_name_of_their_own_are_in_the_legend() -> None:
    lines = [
        {"n_neighbors": str(k), "pca": str(pca), "accuracy": str(0.9 - 0.01 * pca - 0.01 * k)}
        for pca in range(7)
        for k in (1, 3)
    ]
    search = search_curves("knn", lines)
    assert search
    legend = draw_baselines.trials("knn", search).figure.axes[0].get_legend()
    assert legend and [text.get_text() for text in legend.get_texts()] == ["pca=0", "winner", "6 other settings"]


def test_a_lone_configuration_is_not_called_all() -> None:
    search = search_curves("tree", [{"min_samples_leaf": "1", "accuracy": "0.8"}])
    assert search and draw_baselines.trials("tree", search).caption.startswith(
        "The only configuration of the decision tree"
    )


def png_of_a_tree_search() -> bytes:
    search = search_curves("tree", [{"min_samples_leaf": "1", "accuracy": "0.8"}])
    assert search
    with figure_defaults():
        figure = draw_baselines.trials("tree", search).figure
        return png_bytes(figure, fix_layout(figure))


def test_no_figure_depends_on_a_matplotlibrc() -> None:
    """One that asks for LaTeX, for instance, which is not installed."""
    as_shipped = png_of_a_tree_search()
    with rc_context({"text.usetex": True, "axes.grid": True, "font.family": "serif", "figure.dpi": 300}):
        assert png_of_a_tree_search() == as_shipped
