"""One trial: a forest that grows, and the model that is fitted again."""

from dataclasses import replace

import numpy as np
from classical import rows_of_digits, spec_of
from sklearn.ensemble import RandomForestClassifier

from digits_ray.baselines.sweeps import TrainAndQueries, fit_predict, sweep
from digits_ray.config import BaselinesConfig, Config


def test_a_growing_forest_scores_as_scikit_learns_own_loop_does() -> None:
    rows, truth = rows_of_digits()
    trial = spec_of("forest", Config(baselines=BaselinesConfig(space="notebook"))).trials[0]
    trial = replace(trial, sweep={"trees": [10, 20, 50]})
    ours = {point.params["trees"]: point.accuracy for point in sweep(trial, rows, truth, threads=2)}
    flat, queries = rows.images.reshape(400, -1), rows.queries.reshape(-1, 64)
    models = {n: RandomForestClassifier(n, random_state=0).fit(flat, rows.labels) for n in (10, 20, 50)}
    assert ours == {trees: model.score(queries, truth) for trees, model in models.items()}


def test_the_refitted_winner_is_the_forest_that_was_scored() -> None:
    rows, truth = rows_of_digits()
    trial = replace(spec_of("forest").trials[0], sweep={"trees": [5, 15]})
    for point in sweep(trial, rows, truth, threads=1):
        proba = fit_predict("forest", point.params, trial.seed, rows, threads=2)
        assert (proba.argmax(axis=1) == truth).mean() == point.accuracy


def test_every_baseline_is_fitted_to_all_channels_of_colour_images() -> None:
    random, labels = np.random.default_rng(0), np.arange(90, dtype=np.int32) % 3
    images = np.repeat(random.integers(60, 180, (90, 4, 4, 1)), 3, axis=-1)
    images[np.arange(90), ..., labels] += 60
    rows = TrainAndQueries(images[:60].astype(np.uint8), labels[:60], images[60:].astype(np.uint8))
    for kind, params in FIRST_PARAMS.items():
        proba = fit_predict(kind, params, 0, rows, threads=1)
        assert (proba.argmax(axis=1) == labels[60:]).mean() > 0.7, kind


FIRST_PARAMS = {
    "knn": {"n_neighbors": 1, "weights": "uniform", "metric": "euclidean", "pca": 5, "deskew": False},
    "tree": {"min_samples_leaf": 1, "deskew": False},
    "forest": {"kind": "extra_trees", "trees": 50, "max_features": 0.5, "min_samples_leaf": 1, "deskew": False},
}
