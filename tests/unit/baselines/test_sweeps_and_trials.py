"""The classical models: what one trial does, without Ray."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import CLASSES, images_of, rows_of
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from digits_ray.baselines import neighbours
from digits_ray.baselines.deskew import deskew
from digits_ray.baselines.neighbours import every_k
from digits_ray.baselines.refit import fits_of
from digits_ray.baselines.search_plan import plan_search
from digits_ray.baselines.sweeps import Part, fit_predict, sweep
from digits_ray.baselines.trials import BaselineSpec, TrialSpec, baseline_specs
from digits_ray.baselines.voting import best_weights, cross_fitted_weights
from digits_ray.config.loading import config_from_dict
from digits_ray.config.schema import (
    NEIGHBORS,
    TREES,
    BaselinesConfig,
    Config,
    EnsembleConfig,
    ForestSpace,
    KnnSpace,
    SplitConfig,
)
from digits_ray.data import TRAIN_ONLY, Data, split
from digits_ray.errors import UserError


def data_of(rows: int = 120, side: int = 8) -> Data:
    labels = np.arange(rows, dtype=np.int32) % CLASSES
    images = images_of(labels, side)
    return Data(images, labels, tuple(range(CLASSES)), images[:0], "train.csv", None)


def digits(coarseness: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Real digits in two parts; coarse pixels make many equal distances."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    pixels, labels = (found.data[order] // coarseness).astype(np.float32), found.target[order].astype(np.int32)
    return pixels[:1200], labels[:1200], pixels[1200:], labels[1200:]


def part_of_digits() -> tuple[Part, np.ndarray]:
    rows, labels, queries, truth = (array[:400] for array in digits())
    as_images = [array.reshape(-1, 8, 8).astype(np.uint8) for array in (rows, queries)]
    return Part(as_images[0], labels, as_images[1]), truth


def spec_of(kind: str, config: Config | None = None, data: Data | None = None, rows: int = 100) -> BaselineSpec:
    specs = baseline_specs(config or Config(), data or data_of(), rows)
    return next(spec for spec in specs if spec.kind == kind)


def refusal(config: Config, data: Data | None = None) -> str:
    data = data or data_of()
    with pytest.raises(UserError) as caught:
        plan_search(config, data, split(data, config.split, config.seed))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Nearest neighbours


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("coarseness", [1, 4])
def test_every_k_predicts_what_scikit_learn_predicts_for_that_k_alone(metric: str, coarseness: int) -> None:
    rows, labels, queries, _ = digits(coarseness)
    points = list(every_k(rows, labels, queries, metric, NEIGHBORS, ("uniform", "distance")))
    assert [(p.n_neighbors, p.weights) for p in points] == [(k, w) for w in ("uniform", "distance") for k in NEIGHBORS]
    for point in points:
        model = KNeighborsClassifier(point.n_neighbors, weights=point.weights, metric=metric).fit(rows, labels)
        if point.weights == "uniform":
            assert np.array_equal(point.proba.argmax(axis=1), model.predict(queries))
        assert np.allclose(point.proba, model.predict_proba(queries), atol=1e-6)  # its float32 distances are rounded


def test_equal_distances_are_left_to_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of several equally near rows is the k-th changes predictions; without the care for ties they differ."""
    rows, labels, queries, _ = digits(coarseness=8)
    models = {k: KNeighborsClassifier(k).fit(rows, labels) for k in NEIGHBORS}

    def different() -> int:
        points = every_k(rows, labels, queries, "euclidean", NEIGHBORS, ("uniform",))
        return sum((p.proba.argmax(axis=1) != models[p.n_neighbors].predict(queries)).sum() for p in points)

    assert different() == 0
    monkeypatch.setattr(neighbours, "_tied", lambda distances, k: np.zeros(len(distances), bool))
    assert different() > 0


def test_as_many_neighbours_as_rows_can_be_asked_for() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    labels = np.arange(10) % 2
    (point,) = every_k(rows, labels, rows, "euclidean", (10,), ("uniform",))
    assert (point.proba == 0.5).all()


# Forests


def test_a_growing_forest_scores_as_scikit_learns_own_loop_does() -> None:
    part, truth = part_of_digits()
    trial = spec_of("forest", Config(baselines=BaselinesConfig(space="notebook"))).trials[0]
    trial = replace(trial, sweep={"trees": [10, 20, 50]})
    ours = {point.params["trees"]: point.accuracy for point in sweep(trial, part, truth, threads=2)}
    flat, queries = part.images.reshape(400, -1), part.queries.reshape(-1, 64)
    models = {n: RandomForestClassifier(n, random_state=0).fit(flat, part.labels) for n in (10, 20, 50)}
    assert ours == {trees: model.score(queries, truth) for trees, model in models.items()}


def test_the_refitted_winner_is_the_forest_that_was_scored() -> None:
    part, truth = part_of_digits()
    trial = replace(spec_of("forest").trials[0], sweep={"trees": [5, 15]})
    for point in sweep(trial, part, truth, threads=1):
        proba = fit_predict("forest", point.params, trial.seed, part, threads=2)
        assert (proba.argmax(axis=1) == truth).mean() == point.accuracy


# Deskewing


def slanted(lean: float, side: int = 28) -> np.ndarray:
    """A bar that leans `lean` pixels to the right per pixel down, off the middle."""
    image = np.zeros((side, side), np.uint8)
    for y in range(6, 20):
        x = 12 + lean * (y - 13)
        image[y, int(x) : int(x) + 3] = 250
    return image


@pytest.mark.parametrize("lean", [-0.6, -0.3, 0.3, 0.6])
def test_a_leaning_bar_is_set_upright_in_the_middle(lean: float) -> None:
    (upright,) = deskew(slanted(lean)[None])
    y, x = np.mgrid[:28, :28]
    ink = upright.astype(float) / upright.sum()
    center_y, center_x = (ink * y).sum(), (ink * x).sum()
    assert center_y == pytest.approx(13.5, abs=0.3)
    assert center_x == pytest.approx(13.5, abs=0.3)
    slant = (ink * (x - center_x) * (y - center_y)).sum() / (ink * (y - center_y) ** 2).sum()
    assert abs(slant) < 0.1 * abs(lean)


def test_deskewing_leaves_blank_and_single_row_images_alone() -> None:
    images = np.zeros((2, 9, 9), np.uint8)
    images[1, 4] = 200
    assert np.array_equal(deskew(images), images)
    assert deskew(images[:0]).shape == (0, 9, 9)


def test_an_image_is_deskewed_alike_alone_and_in_a_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 12, 10), dtype=np.uint8)
    assert np.array_equal(deskew(images)[7:8], deskew(images[7:8]))


# What is searched


def test_the_notebook_space_is_exactly_the_notebooks_grid() -> None:
    config = Config(baselines=BaselinesConfig(space="notebook"))
    knn, tree, forest = baseline_specs(config, data_of(side=28), 1000)
    assert [trial.params for trial in knn.trials] == [{"metric": "euclidean", "deskew": False, "pca": 0}]
    assert knn.trials[0].sweep == {"n_neighbors": list(range(1, 20, 2)), "weights": ["uniform"]}
    assert [trial.params for trial in tree.trials] == [{"deskew": False, "min_samples_leaf": 1}]
    assert forest.trials[0].sweep == {"trees": list(TREES)}
    assert len(forest.trials) == 1
    assert forest.trials[0].params["kind"] == "random_forest"
    assert forest.trials[0].seed == 0


def test_a_trials_key_depends_on_everything_that_its_scores_depend_on() -> None:
    trial = spec_of("knn").trials[0]
    changed: list[dict[str, Any]] = [
        {"params": {**trial.params, "pca": 3}}, {"sweep": {"n_neighbors": [1]}}, {"seed": 1}, {"validation": 0.2},
    ]  # fmt: skip
    assert len({trial.key, *(replace(trial, **change).key for change in changed)}) == 5
    assert TrialSpec(**vars(trial)).key == trial.key


def test_the_default_space_is_cut_to_what_small_data_can_bear() -> None:
    spec = spec_of("knn", data=data_of(side=6), rows=12)
    assert {trial.params["pca"] for trial in spec.trials} == {0}
    assert max(spec.trials[0].sweep["n_neighbors"]) == 11


def test_more_neighbours_than_training_rows_are_refused() -> None:
    config = Config(baselines=BaselinesConfig(knn=KnnSpace(n_neighbors=(1, 500))))
    assert "500 neighbours, but the search trains on" in refusal(config)


def test_pca_wider_than_the_pixels_is_refused() -> None:
    config = Config(baselines=BaselinesConfig(knn=KnnSpace(pca=(65,))))
    assert "65 dimensions of 64 pixels" in refusal(config)
    assert "Use 64 or fewer" in refusal(config)


@pytest.mark.parametrize(
    ("baselines", "told"),
    [
        ({"knn": {"metric": ["euclidian"]}}, "baselines.knn.metric"),
        ({"knn": {"n_neighbors": []}}, "baselines.knn.n_neighbors"),
        ({"forest": {"trees": [0]}}, "baselines.forest.trees"),
        ({"space": "wide"}, "baselines.space"),
        ({"space": "notebook", "forest": {"trees": [10]}}, "its own forest grid"),
    ],
)
def test_a_bad_space_is_refused_by_name(baselines: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        config_from_dict({"baselines": baselines})


def test_too_few_rows_for_a_validation_part_are_refused_with_the_cure() -> None:
    data = data_of(rows=9)
    config = Config(split=SplitConfig(holdout=0.4))
    assert "--no-baselines" in refusal(config, data)


# Which rows


@pytest.mark.parametrize("scheme", ["holdout", "kfold", "none"])
def test_a_search_never_sees_the_holdout(scheme: Any) -> None:
    data, config = data_of(), Config(split=SplitConfig(scheme))
    folds = split(data, config.split, config.seed)
    plan = plan_search(config, data, folds)
    seen = np.concatenate([plan.train, plan.validation])
    assert len(set(seen)) == len(seen)
    training = np.arange(120) if scheme == "kfold" else np.flatnonzero(folds == TRAIN_ONLY)
    assert sorted(seen) == training.tolist()
    assert len(plan.validation) == pytest.approx(0.1 * len(training), abs=1)


def test_under_k_folds_no_row_is_scored_by_a_fit_that_saw_it_or_was_chosen_on_it() -> None:
    rows = rows_of()
    folds = rows.folds.copy()
    folds[:120] = np.arange(120) % 3
    fits = fits_of(replace(rows, folds=folds), chosen_on=np.array([5, 70]))
    assert len(fits) == 4
    assert sorted(np.concatenate([fit.ask for fit in fits])) == sorted(set(range(132)) - {5, 70})
    assert all(not set(fit.train) & set(fit.ask) for fit in fits)


# Voting


def proba_of(labels: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    """Probabilities of a model that is right so often, by errors of its own."""
    random = np.random.default_rng(seed)
    guesses = np.where(random.random(len(labels)) < accuracy, labels, (labels + 1) % CLASSES)
    return np.full((len(labels), CLASSES), 0.05) + 0.85 * np.eye(CLASSES)[guesses]


def test_a_baseline_that_helps_gets_a_weight_and_one_that_harms_gets_none() -> None:
    labels = np.arange(3000) % CLASSES
    members = proba_of(labels, 0.9, 1)
    helpful, harmful = best_weights(members, [proba_of(labels, 0.9, 2), proba_of(labels, 0.1, 3)], labels)
    assert helpful > 0
    assert harmful == 0


def test_no_row_helps_to_choose_the_weight_that_it_is_scored_with() -> None:
    labels, folds = np.arange(600) % CLASSES, np.arange(600) % 2
    members, baseline = proba_of(labels, 0.8, 1), proba_of(labels, 0.8, 2)
    by_row, _ = cross_fitted_weights(members, [baseline], labels, folds)
    wrong = baseline.copy()
    wrong[folds == 0] = np.roll(wrong[folds == 0], 1, axis=1)  # whatever its fold holds, its own weight stays
    changed, _ = cross_fitted_weights(members, [wrong], labels, folds)
    assert (changed[0, folds == 0] == by_row[0, folds == 0]).all()
    assert (changed[0, folds == 1] != by_row[0, folds == 1]).any()


def test_a_weight_is_never_chosen_on_the_holdout() -> None:
    with pytest.raises(UserError, match=r"split\.scheme to kfold, or give a number"):
        config_from_dict({"ensemble": {"include_baselines": True}})
    assert config_from_dict(
        {"ensemble": {"include_baselines": True, "baseline_weight": 0.1}}
    ).ensemble == EnsembleConfig(True, 0.1)
    config_from_dict({"ensemble": {"include_baselines": True}, "split": {"scheme": "kfold"}})


def test_only_forests_of_several_sizes_can_be_stopped_early() -> None:
    assert len(spec_of("forest").trials[0].sweep["trees"]) > 1
    assert "trees" not in spec_of("knn").trials[0].sweep
    small = spec_of("forest", Config(baselines=BaselinesConfig(forest=ForestSpace(trees=(50, 20)))))
    assert small.trials[0].sweep == {"trees": [20, 50]}


def test_the_first_line_of_trials_csv_is_the_winner_among_equals() -> None:
    from digits_ray.baselines.searching import best_point
    from digits_ray.baselines.trial_records import TrialRecord, trials_csv

    def point(pca: int, accuracy: float, nll: float) -> dict[str, Any]:
        return {"params": {"pca": pca, "n_neighbors": 1}, "accuracy": accuracy, "nll": nll, "seconds": 0.1}

    points = [point(50, 1.0, 2e-8), point(0, 1.0, 1e-8), point(20, 1.0, 1e-8), point(9, 0.9, 0.0)]
    trials = [TrialRecord(one["params"], "done", [one]) for one in points]
    first = trials_csv(trials).splitlines()[1].split(",")
    best = best_point(trials)
    assert best is not None
    assert first[0] == str(best["params"]["pca"]) == "0"
