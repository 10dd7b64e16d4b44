"""Nearest neighbours for every k at once."""

import numpy as np
import pytest
from classical import digits
from sklearn.neighbors import KNeighborsClassifier

from digits_ray.baselines import neighbours
from digits_ray.baselines.neighbours import predict_every_k
from digits_ray.config.baselines_schema import NEIGHBORS


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("coarseness", [1, 4])
def test_every_k_predicts_what_scikit_learn_predicts_for_that_k_alone(metric: str, coarseness: int) -> None:
    rows, labels, queries, _ = digits(coarseness)
    points = list(predict_every_k(rows, labels, queries, metric, NEIGHBORS, ("uniform", "distance")))
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
        points = predict_every_k(rows, labels, queries, "euclidean", NEIGHBORS, ("uniform",))
        return sum((p.proba.argmax(axis=1) != models[p.n_neighbors].predict(queries)).sum() for p in points)

    assert different() == 0
    monkeypatch.setattr(neighbours, "_tied", lambda distances, k: np.zeros(len(distances), bool))
    assert different() > 0


def test_as_many_neighbours_as_rows_can_be_asked_for() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    labels = np.arange(10) % 2
    (point,) = predict_every_k(rows, labels, rows, "euclidean", (10,), ("uniform",))
    assert (point.proba == 0.5).all()
