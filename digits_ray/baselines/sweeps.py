"""What one trial does: it fits models and scores every point of its swept axes. Plain scikit-learn, no Ray.

Each part of scikit-learn is imported where it is used: a search for neighbours has no use for forests, and a process
that starts pays for every import.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.trial_specs import Params, TrialSpec
from digits_ray.config import BaselineKind
from digits_ray.ensemble import nll


@dataclass(frozen=True)
class TrainAndQueries:
    """The rows that a model is trained on, and the rows that it predicts."""

    images: np.ndarray  # (rows, height, width[, 3]) uint8, deskewed where the trial wants it
    labels: np.ndarray  # (rows,) int32
    queries: np.ndarray  # (queries, height, width[, 3]) uint8, alike


def sweep(spec: TrialSpec, rows: TrainAndQueries, truth: np.ndarray, threads: int) -> Iterator[ScoredPoint]:
    """Yields the score of every point of a trial's swept axes, in the axes' order.

    Args:
        spec: The trial.
        rows: The rows to train on, and the validation rows as queries.
        truth: (queries,) int32, the labels of the validation rows.
        threads: That the trial may use.
    """
    started = time.monotonic()
    for swept, proba in _SWEEPS[spec.kind](spec, rows, threads):
        accuracy = float((proba.argmax(axis=1) == truth).mean())
        params = {**spec.params, **swept}
        yield ScoredPoint(params, accuracy, abs(nll(proba, truth)), time.monotonic() - started)


def fit_predict(kind: BaselineKind, params: Params, seed: int, rows: TrainAndQueries, threads: int) -> np.ndarray:
    """Fits one configuration and predicts the queries.

    Args:
        kind: The baseline.
        params: The configuration.
        seed: Of what is random in it.
        rows: The rows to train on, and the queries.
        threads: That the model may use.

    Returns:
        (queries, classes) float32 probabilities.
    """
    features, queries = _features(rows, int(params.get("pca", 0)))
    if len(queries) == 0:
        return np.empty((0, int(rows.labels.max()) + 1), np.float32)
    model = _model(kind, params, seed, threads).fit(features, rows.labels)
    return model.predict_proba(queries).astype(np.float32)


def _sweep_knn(spec: TrialSpec, rows: TrainAndQueries, threads: int) -> Iterator[tuple[Params, np.ndarray]]:
    from digits_ray.baselines.neighbours import predict_every_k

    features, queries = _features(rows, int(spec.params["pca"]))
    ks, weights = spec.sweep["n_neighbors"], spec.sweep["weights"]
    for prediction in predict_every_k(features, rows.labels, queries, str(spec.params["metric"]), ks, weights):
        yield {"n_neighbors": prediction.n_neighbors, "weights": prediction.weights}, prediction.proba


def _sweep_tree(spec: TrialSpec, rows: TrainAndQueries, threads: int) -> Iterator[tuple[Params, np.ndarray]]:
    yield {}, fit_predict("tree", spec.params, spec.seed, rows, threads)


def _sweep_forest(spec: TrialSpec, rows: TrainAndQueries, threads: int) -> Iterator[tuple[Params, np.ndarray]]:
    """Grows one forest and scores it at each size.

    Warm start draws the trees' seeds so that they are those of a forest grown at once (`BaseForest.fit`). Their votes
    are added up one by one in the order of `predict_proba` with one job.
    """
    features, queries = _features(rows, 0)
    smallest = min(spec.sweep["trees"])
    model = _model("forest", {**spec.params, "trees": smallest}, spec.seed, threads).set_params(warm_start=True)
    total: Any = 0.0  # (queries, classes) float64
    for trees in spec.sweep["trees"]:
        grown = len(getattr(model, "estimators_", ()))
        model.set_params(n_estimators=trees).fit(features, rows.labels)
        for tree in model.estimators_[grown:]:
            total = total + tree.predict_proba(queries, check_input=False)
        yield {"trees": trees}, total / trees


_SWEEPS = {"knn": _sweep_knn, "tree": _sweep_tree, "forest": _sweep_forest}


def _model(kind: BaselineKind, params: Params, seed: int, threads: int) -> Any:
    if kind == "knn":
        from sklearn.neighbors import KNeighborsClassifier

        names = ("n_neighbors", "weights", "metric")
        return KNeighborsClassifier(algorithm="brute", **{name: params[name] for name in names})
    if kind == "tree":
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(min_samples_leaf=params["min_samples_leaf"], random_state=seed)
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    forest = RandomForestClassifier if params["kind"] == "random_forest" else ExtraTreesClassifier
    return forest(
        n_estimators=params["trees"],
        max_features=params["max_features"],
        min_samples_leaf=params["min_samples_leaf"],
        random_state=seed,
        n_jobs=threads,
    )


def _features(rows: TrainAndQueries, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns training rows and queries as (rows, features) float32: whole-number pixels, or what PCA makes of them.

    Distances of whole numbers are exact, so that a tie is a tie.
    """
    train, queries = (array.reshape(len(array), -1).astype(np.float32) for array in (rows.images, rows.queries))
    if not dimensions:
        return train, queries
    from sklearn.decomposition import PCA

    pca = PCA(dimensions, svd_solver="covariance_eigh").fit(train)
    return pca.transform(train), pca.transform(queries) if len(queries) else queries
