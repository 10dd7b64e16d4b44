"""One trial: a forest that grows, and the model that is fitted again."""

from dataclasses import replace

from classical import rows_of_digits, spec_of
from sklearn.ensemble import RandomForestClassifier

from digits_ray.baselines.sweeps import fit_predict, sweep
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
