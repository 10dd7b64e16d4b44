"""What the report's figures show, beside the numbers behind them."""

from pathlib import Path

import numpy as np
from report_runs import make_run

from digits_ray.report import draw_baselines, draw_ensemble, draw_members, source
from digits_ray.report.trials import search_of


def ticks(figure, which: str) -> np.ndarray:
    """The ticks of the figure's first axes that can be seen."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = getattr(axes, f"get_{which}lim")()
    found = getattr(axes, f"get_{which}ticks")()
    return found[(found >= low) & (found <= high)]


def test_no_accuracy_axis_counts_beyond_all(tmp_path: Path) -> None:
    run = source.read(make_run(tmp_path / "run", skill=9.0, models=False, baselines=False))
    lines = [{"n_neighbors": str(k), "accuracy": "1.0"} for k in (1, 3)]
    leaf = [{"min_samples_leaf": "1", "accuracy": "1.0"}]
    knn, tree = search_of("knn", lines), search_of("tree", leaf)
    assert knn and tree
    rights = np.arange(4)
    pictures = [
        ("y", draw_baselines.trials("knn", knn)),
        ("x", draw_baselines.trials("tree", tree)),
        ("y", draw_ensemble.growth(run)),
        ("x", draw_ensemble.classes(rights, rights, list("abcd"))),
        ("x", draw_members.train_holdout(run.scored)),
    ]
    assert {picture.name: ticks(picture.figure, which).max() for which, picture in pictures} == {
        picture.name: 100 for _, picture in pictures
    }
